#include "distributed/model_shard.h"

#include <cmath>
#include <numeric>

#include "base/interrupt.h"
#include "base/parallel.h"

namespace hashslide {

ModelShard::ModelShard(const NetworkConfig& config, std::vector<Id> features, std::vector<Id> labels)
    : feature_ids(std::move(features)),
      label_ids(std::move(labels)),
      input(std::ssize(feature_ids), config.width(), config.input_init, config.optimizer, config.precision,
            config.seed),
      output(std::ssize(label_ids), config.width(), config.optimizer, config.precision, config.seed),
      config_(config),
      prior_(std::ssize(label_ids), config.n_labels),
      features_(std::ssize(feature_ids)),
      active_(std::ssize(label_ids)) {
    input.weight.name_rows(feature_ids.data());
    output.weight.name_rows(label_ids.data());
    input.initialise();
    output.weight.occupy();
}

void ModelShard::set_label_prior(const Index* counts, Index n_examples, std::vector<Id> popular, bool reset_bias) {
    prior_.set(counts, n_examples, 0);
    popular_ = std::move(popular);
    if (!reset_bias) return;
    for (Index label = 0; label < output.n_labels(); ++label)
        output.bias[label] = static_cast<float>(first_bias(config_.loss, prior_.frequency(static_cast<Id>(label))));
}

void ModelShard::start_batch() {
    features_.start();
    true_labels_.begin.assign(1, 0);
    true_labels_.ids.clear();
    draws_.clear();
}

void ModelShard::end_example() {
    features_.end_example();
    true_labels_.begin.push_back(std::ssize(true_labels_.ids));
}

bool ModelShard::add_up(Index b, float* z) const {
    const std::span<const Id> ids = features_.ids(b);
    if (ids.empty()) return false;
    std::fill_n(z, input.hidden(), 0.0f);
    input.weight.view().add_all(std::ssize(ids), ids.data(), features_.values(b).data(), z);
    return true;
}

void ModelShard::compute_logits(const ActiveProducts& h, Index batch, int n_threads) {
    active_.start(popular_);
    active_.add_true_labels(true_labels_.begin, true_labels_.ids);
    active_.add(draws_);
    shift_.assign(active_.size(), 0.0f);
    for (Index i = active_.n_certain(); i < active_.size(); ++i) shift_[i] = shift_of(active_.ids()[i], batch);
    if (active_.size() > 0) output.forward(active_, h, batch, work_, n_threads);
}

// As in Worker::shift_of.
float ModelShard::shift_of(Id label, Index batch) const {
    const Index others = batch - 1, uniform = config_.active.uniform;
    if (config_.prior_correction == 0 || (others == 0 && uniform == 0)) return 0.0f;
    return config_.prior_correction * prior_.log_inclusion(label, others, uniform);
}

void ModelShard::binary_gradients(const BatchRows& rows, int n_threads) {
    loss_ = active_.size() == 0 ? 0.0
                                : active_set_loss(LossKind::bce, active_, rows.size(), work_.logits.data(),
                                                  shift_.data(), {}, rows.weight.data(), label_weight(), n_threads);
}

void ModelShard::softmax_sums(const BatchRows& rows, int n_threads) {
    const Index n = active_.size();
    positive_weight_.clear();
    if (label_weight())
        for (const Id label : active_.ids()) positive_weight_.push_back(label_weight_[label]);
    sums_.assign(rows.size(), SoftmaxSum{});
    std::vector<double> losses(rows.size(), 0.0);
    parallel_for(n_threads, 0, n == 0 ? 0 : rows.size(), 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            if (rows.n_labels[b] == 0) continue;
            const SoftmaxPart part =
                softmax_part(n, work_.logits.data() + b * n, shift_.data(), active_.targets_of(b),
                             positive_weight_.empty() ? nullptr : positive_weight_.data());
            sums_[b] = {part.top, static_cast<float>(part.total), static_cast<float>(part.weight)};
            losses[b] = -rows.weight[b] * part.target / rows.n_labels[b];
        }
    });
    loss_ = std::accumulate(losses.begin(), losses.end(), 0.0);
}

void ModelShard::softmax_gradients(const BatchRows& rows, const SoftmaxSum* of_all, int n_threads) {
    const Index n = active_.size();
    parallel_for(n_threads, 0, n == 0 ? 0 : rows.size(), 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            float* z = work_.logits.data() + b * n;
            if (rows.n_labels[b] == 0) {
                std::fill_n(z, n, 0.0f);
                continue;
            }
            const double share = 1.0 / rows.n_labels[b], moved = sums_[b].top - of_all[b].top;
            softmax_gradient(n, z, of_all[b].weight * share / of_all[b].total * std::exp(moved), share,
                             active_.targets_of(b), positive_weight_.empty() ? nullptr : positive_weight_.data());
            if (rows.weight[b] != 1.0f) kernels().scale(n, rows.weight[b], z);
        }
    });
}

bool ModelShard::backward(Index first, Index last, float* dh) const {
    if (active_.size() == 0) return false;
    output.backward(first, last, work_, dh);
    return true;
}

void ModelShard::update_output(Index batch, float rate, Index step, int n_threads) {
    if (active_.size() > 0) output.update_active(active_, batch, work_, rate, step, n_threads);
}

void ModelShard::visit_state(StateVisitor& visitor) {
    visit_weight(visitor, "input", input.weight, input.n_features(), input.hidden());
    visit_optimizer(visitor, "input.weight", input.weight_optimizer);
    visit_neurons(visitor, "output", output);
    std::vector<Index> seen{prior_.n_examples()}, counts = prior_.counts();
    visitor.visit({"n_examples", Role::count, {1}, Values::counts, most_counted}, &seen);
    visitor.visit({"label_counts", Role::count, {output.n_labels()}, Values::counts, seen[0]}, &counts);
    if (visitor.replaces()) prior_.set(counts.data(), seen[0], 0);
}

}  // namespace hashslide
