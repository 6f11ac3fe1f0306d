#include "network/worker.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "network/network.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

Worker::Worker(const Model& model)
    : features_(model.config.n_features),
      hidden_(model.hidden),
      active_(model.config.n_labels),
      products_(model.config.active.per_example ? model.config.n_labels : 0) {}

double Worker::multiplications() const {
    return multiplications_ + hidden_.total_multiplications() + products_.multiplications;
}

StepStats Worker::train(Model& model, const Batch& batch, int n_threads) {
    const NetworkConfig& config = model.config;
    lap_start_ = now();
    features_.gather(batch.x, batch.rows.data(), batch.size(), config.input_scale, config.input_dropout,
                     CounterRng(batch.seed, Stream::input_dropout, batch.step));
    ExampleSets::true_labels(batch.y, batch.rows.data(), batch.size(), true_labels_);
    model.hidden.forward(features_, hidden_, batch.seed, batch.step, n_threads);
    Activations& head = copy_head(model, batch);
    lap(Stage::hidden_forward);

    const StepStats stats = config.active.per_example ? train_examples(model, batch, head, n_threads)
                                                      : train_active_set(model, batch, head, n_threads);
    return_gradients(model, batch, head);
    model.hidden.backward_and_update(features_, hidden_, batch.rate, batch.step, n_threads);
    lap(Stage::hidden_backward);
    return stats;
}

StepStats Worker::train_active_set(Model& model, const Batch& batch, Activations& head, int n_threads) {
    const Index n = batch.size();
    const float* h = head.values.data();
    start_active_set(model, batch);
    select(model, batch, head, n_threads);
    active_.add(sampled_.ids);
    prior_shift(model, n, n_threads);
    lap(Stage::active_set);

    model.output.forward(active_, h, n, output_, n_threads);
    lap(Stage::output_forward);

    if (model.direct.enabled()) model.direct.forward(features_, active_, direct_, output_.logits.data(), n_threads);
    lap(Stage::direct_forward);

    const double loss =
        active_set_loss(model.config.loss, active_, n, output_.logits.data(), shift_.data(), row_weights(model, batch),
                        model.label_weight.empty() ? nullptr : model.label_weight.data(), n_threads);
    lap(Stage::loss);

    model.output.backward_and_update(active_, h, n, output_, head.gradients.data(), batch.rate, batch.step, n_threads);
    multiplications_ += 3.0 * static_cast<double>(n) * static_cast<double>(active_.size() * head.width);
    lap(Stage::output_backward);

    if (model.direct.enabled())
        model.direct.backward_and_update(features_, active_, direct_, output_.logits.data(), batch.rate, n_threads);
    lap(Stage::direct_backward);
    touched_.assign(active_.ids().begin(), active_.ids().end());
    return {loss, active_.size()};
}

StepStats Worker::train_examples(Model& model, const Batch& batch, Activations& head, int n_threads) {
    const Index n = batch.size();
    start_active_set(model, batch);
    select(model, batch, head, n_threads);
    sets_.build(true_labels_, sampled_, active_);
    products_.set(sets_.own().begin, sets_.own().ids);
    prior_shift(model, n, n_threads);
    lap(Stage::active_set);

    model.output.forward(active_, head.values.data(), n, output_, n_threads);
    logits_.resize(sets_.own().ids.size());
    products_.forward(model.output, head, logits_.data(), n_threads);
    lap(Stage::output_forward);

    const double loss = example_loss(model, batch, n_threads);
    lap(Stage::loss);

    model.output.backward_and_update(active_, head.values.data(), n, output_, head.gradients.data(), batch.rate,
                                     batch.step, n_threads);
    products_.backward_and_update(model.output, head, true, logits_.data(), batch.rate, batch.step, n_threads);
    multiplications_ += 3.0 * static_cast<double>(n) * static_cast<double>(active_.size() * head.width);
    lap(Stage::output_backward);
    touched_ = products_.touched();
    touched_.insert(touched_.end(), active_.ids().begin(), active_.ids().end());
    return {loss, active_.size() + static_cast<Index>(logits_.size()) / n};
}

// The activations that the output layer sees: those of the last hidden layer, as they are if all its units are active;
// otherwise a dense copy.
Activations& Worker::copy_head(const Model& model, const Batch& batch) {
    Activations& last = hidden_.last();
    const bool dropped = model.config.hidden_dropout > 0;
    if (!dropped && !last.sparse) return last;
    head_.resize_dense(last.n, last.width);
    last.view().copy(head_.values.data());
    if (dropped) dropout(model, batch, head_.values);
    return head_;
}

void Worker::return_gradients(const Model& model, const Batch& batch, Activations& head) {
    Activations& last = hidden_.last();
    if (&head == &last) return;
    if (model.config.hidden_dropout > 0) dropout(model, batch, head.gradients);
    last.gradients.resize(last.entries());
    if (!last.sparse) {
        last.gradients = head.gradients;
        return;
    }
    for (Index b = 0; b < last.n; ++b)
        for (Index e = last.begin[b]; e < last.begin[b + 1]; ++e)
            last.gradients[e] = head.gradients[b * last.width + last.ids[e]];
}

// The same mask for the activations and for their gradients, drawn again from the counter instead of stored.
void Worker::dropout(const Model& model, const Batch& batch, std::vector<float>& values) const {
    const float share = model.config.hidden_dropout, keep = 1.0f / (1.0f - share);
    const CounterRng rng(batch.seed, Stream::hidden_dropout, batch.step);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= rng.uniform(i) < share ? 0.0f : keep;
}

// What the sampler finds for each example; nothing without a sampler.
void Worker::select(const Model& model, const Batch& batch, const Activations& head, int n_threads) {
    sampled_.begin.clear();
    sampled_.ids.clear();
    if (model.config.samples_labels())
        model.selector.select(model.output.view(), head, &true_labels_,
                              CounterRng(batch.seed, Stream::sampler, batch.step), sampled_, n_threads);
    multiplications_ += sampled_.multiplications;
}

void Worker::start_active_set(const Model& model, const Batch& batch) {
    active_.start(model.prior.popular());
    if (shares_labels(model)) active_.add_true_labels(true_labels_.begin, true_labels_.ids);
    active_.add_uniform(model.config.active.uniform, model.config.n_labels,
                        CounterRng(batch.seed, Stream::uniform_negatives, batch.step));
}

bool Worker::shares_labels(const Model& model) {
    return !model.config.active.per_example || model.config.active.in_batch;
}

// log r of each active label, times prior_correction; 0 for those that are in every set.
void Worker::prior_shift(const Model& model, Index batch, int n_threads) {
    const NetworkConfig& config = model.config;
    shift_.assign(active_.size(), 0.0f);
    if (config.prior_correction == 0) return;
    if (!shares_labels(model)) batch = 0;
    parallel_for(n_threads, active_.n_certain(), active_.size(), 512, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            shift_[i] =
                config.prior_correction * model.prior.log_inclusion(active_.ids()[i], batch, config.active.uniform);
    });
}

// Null where all weights are 1.
const float* Worker::row_weights(const Model& model, const Batch& batch) {
    const float power = model.config.example_power;
    if (!batch.sample_weight && power == 0) return nullptr;
    row_weight_.clear();
    for (Index b = 0; b < batch.size(); ++b) {
        const Index labels = true_labels_.begin[b + 1] - true_labels_.begin[b];
        const float n = static_cast<float>(std::max<Index>(1, labels));
        const float by_labels = power == 0 ? 1.0f : std::pow(model.prior.mean_labels() / n, power);
        row_weight_.push_back((batch.sample_weight ? batch.sample_weight[batch.rows[b]] : 1.0f) * by_labels);
    }
    return row_weight_.data();
}

// Step 5 for sets of the examples' own: their logits, shared and own side by side, become gradients.
double Worker::example_loss(const Model& model, const Batch& batch, int n_threads) {
    const Selection& own = sets_.own();
    const float* weights = row_weights(model, batch);
    const Index shared = active_.size();
    std::vector<double> losses(batch.size());
    parallel_for(n_threads, 0, batch.size(), 8, [&](Index first, Index last) {
        std::vector<float> row, shift, positive_weight;
        for (Index b = first; b < last; ++b) {
            float* shared_logits = output_.logits.data() + b * shared;
            float* own_logits = logits_.data() + own.begin[b];
            const Index n_own = own.begin[b + 1] - own.begin[b];
            row.assign(shared_logits, shared_logits + shared);
            row.insert(row.end(), own_logits, own_logits + n_own);
            shift.assign(shift_.begin(), shift_.end());
            shift.resize(row.size(), 0.0f);
            for (const Id place : sets_.certain(b)) shift[place] = 0.0f;
            const std::span<const Id> targets = sets_.targets(b);
            positive_weight.assign(model.label_weight.empty() ? 0 : row.size(), 0.0f);
            for (std::size_t i = 0; i < targets.size() && !positive_weight.empty(); ++i)
                positive_weight[targets[i]] = model.label_weight[true_labels_.ids[true_labels_.begin[b] + i]];
            losses[b] = loss_and_gradient(model.config.loss, static_cast<Index>(row.size()), row.data(), shift.data(),
                                          targets, positive_weight.empty() ? nullptr : positive_weight.data(),
                                          weights ? weights[b] : 1.0f);
            std::copy_n(row.data(), shared, shared_logits);
            std::copy_n(row.data() + shared, n_own, own_logits);
        }
    });
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

void Worker::lap(Stage stage) {
    const double t = now();
    seconds_[static_cast<int>(stage)] += t - lap_start_;
    lap_start_ = t;
}

}  // namespace hashslide
