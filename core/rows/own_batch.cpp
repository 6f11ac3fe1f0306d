#include "rows/own_batch.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/parallel.h"
#include "base/scratch.h"
#include "output/output_layer.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

std::vector<Id> numbers(Index n) {
    std::vector<Id> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

}  // namespace

void OwnBatch::start(const CsrInput& x, const CsrInput& y, std::span<const Index> rows, std::span<const Id> popular,
                     std::uint64_t seed, Index number) {
    const FlushDenormals flush;
    n_ = std::ssize(rows);
    gather_features(x, rows, CounterRng(seed, Stream::input_dropout, number));
    gather_labels(y, rows, popular, CounterRng(seed, Stream::uniform_negatives, number));
}

// A feature that is dropped or 0 in all examples is not touched.
void OwnBatch::gather_features(const CsrInput& x, std::span<const Index> rows, const CounterRng& dropout) {
    BatchFeatures given;
    given.gather(x, rows.data(), n_, config_.input_scale, config_.input_dropout, dropout);
    feature_ids_.clear();
    features_.start();
    for (Index b = 0; b < n_; ++b) {
        for (std::size_t j = 0; j < given.ids(b).size(); ++j)
            if (given.values(b)[j] != 0) features_.add(feature_ids_.insert(given.ids(b)[j]), given.values(b)[j]);
        features_.end_example();
    }
    features_.grow(feature_ids_.size());
    features_.group_by_feature();
}

void OwnBatch::gather_labels(const CsrInput& y, std::span<const Index> rows, std::span<const Id> popular,
                             const CounterRng& draws) {
    label_ids_.clear();
    active_ = ActiveSet();
    if (n_ == 0) return;
    for (const Id label : popular) label_ids_.insert(label);
    const Index n_certain = label_ids_.size();
    std::vector<Index> begin{0};
    std::vector<Id> targets;
    for (const Index row : rows) {
        y.each(row, [&](Id label, Index) { targets.push_back(label_ids_.insert(label)); });
        begin.push_back(std::ssize(targets));
    }
    for (Index i = 0; i < config_.active.uniform; ++i)
        label_ids_.insert(static_cast<Id>(draws.below(static_cast<std::uint64_t>(i), config_.n_labels)));
    active_ = ActiveSet(label_ids_.size());
    active_.start(numbers(n_certain));
    active_.add_true_labels(begin, targets);
    active_.add(numbers(label_ids_.size()));
}

double OwnBatch::gradients(const FetchedRows& rows, const LabelFacts& facts, Index n_together,
                           const float* sample_weight, const RowGradients& out, int n_threads) {
    const FlushDenormals flush;
    if (n_ == 0) {
        std::fill_n(out.hidden_bias, config_.width(), 0.0f);
        return 0.0;
    }
    forward(rows, n_threads);
    const double sum = loss(rows, facts, n_together, sample_weight, n_threads);
    backward_output(out, n_threads);
    backward_input(out, n_threads);
    return sum;
}

void OwnBatch::forward(const FetchedRows& rows, int n_threads) {
    const LayerConfig& layer = config_.hidden.front();
    const Index width = layer.width;
    hidden_.resize_dense(n_, width);
    hidden_.scales.resize(n_);
    parallel_for(n_threads, 0, n_, 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            float* h = hidden_.values.data() + b * width;
            std::copy_n(rows.hidden_bias, width, h);
            const auto ids = features_.ids(b);
            rows.input.add_all(std::ssize(ids), ids.data(), features_.values(b).data(), h);
            hidden_.scales[b] = layer.function().forward(width, !ids.empty(), h);
        }
    });
    const Index n_active = active_.size();
    if (!products_) products_ = make_active_products(config_.precision);
    products_->start(hidden_.values.data(), n_, width, n_active);
    logits_.resize(static_cast<std::size_t>(n_ * n_active));
    parallel_for(n_threads, 0, n_active, ActiveProducts::tile, [&](Index first, Index last) {
        products_->gather(rows.output, active_.ids().data(), first, last);
        for (Index b = 0; b < n_; ++b)
            std::copy_n(rows.output_bias + first, last - first, logits_.data() + b * n_active + first);
        products_->add_logits(first, last, logits_.data());
    });
}

// A label that an example does not carry is in the set of this part with the chance r, and in one set for the whole
// batch it would be with the larger chance R. So that gradients have the mean that they would have then, such a label
// counts R / r times: in binary cross-entropy as a weight of its term, in softmax as one of exp(z), which a shift is.
// The rest is the correction of the whole batch (worker.cpp).
void OwnBatch::correct(const FetchedRows& rows, const LabelFacts& facts, Index n_together) {
    const Index others = n_ - 1, uniform = config_.active.uniform;
    const bool is_softmax = config_.loss == LossKind::softmax;
    shift_.assign(static_cast<std::size_t>(active_.size()), 0.0f);
    weight_.assign(shift_.size(), 1.0f);
    if (others == 0 && uniform == 0) return;
    LabelPrior prior(active_.size(), config_.n_labels);
    prior.set(rows.counts, facts.n_examples, 0);
    for (Index i = active_.n_certain(); i < active_.size(); ++i) {
        const Id label = static_cast<Id>(i);
        const float own = prior.log_inclusion(label, others, uniform);
        const float together = n_together == n_ ? own : prior.log_inclusion(label, n_together - 1, uniform);
        shift_[i] = config_.prior_correction * together + (is_softmax ? own - together : 0.0f);
        if (!is_softmax) weight_[i] = std::exp(together - own);
    }
}

double OwnBatch::loss(const FetchedRows& rows, const LabelFacts& facts, Index n_together, const float* sample_weight,
                      int n_threads) {
    correct(rows, facts, n_together);
    std::vector<float> of_rows;
    for (Index b = 0; b < n_ && (sample_weight || config_.example_power != 0); ++b) {
        const Index n_own = active_.target_begin()[b + 1] - active_.target_begin()[b];
        const float ratio = facts.mean_labels / static_cast<float>(std::max<Index>(1, n_own));
        const float by_labels = config_.example_power == 0 ? 1.0f : std::pow(ratio, config_.example_power);
        of_rows.push_back((sample_weight ? sample_weight[b] : 1.0f) * by_labels);
    }
    const double sum = active_set_loss(config_.loss, active_, n_, logits_.data(), shift_.data(), {},
                                       of_rows.empty() ? nullptr : of_rows.data(), rows.label_weight, n_threads);
    const bool is_whole = n_together == n_ || config_.loss == LossKind::softmax;
    return is_whole ? sum : sum + weigh_negatives(of_rows, n_threads);
}

// Multiplies the gradients of the labels that an example does not carry; returns what that adds to the loss. Their
// gradients are sigmoids of the logits times the weight of the example, and -log(1 - sigmoid) is their loss.
double OwnBatch::weigh_negatives(const std::vector<float>& of_rows, int n_threads) {
    constexpr float below_one = 1.0f - 0x1p-20f;
    const Index n = active_.size();
    std::vector<double> added(static_cast<std::size_t>(n_), 0.0);
    parallel_for(n_threads, 0, n_, 8, [&](Index first, Index last) {
        std::vector<float> kept;
        for (Index b = first; b < last; ++b) {
            float* gradient = logits_.data() + b * n;
            const std::span<const Id> targets{active_.targets().data() + active_.target_begin()[b],
                                              active_.targets().data() + active_.target_begin()[b + 1]};
            kept.clear();
            for (const Id t : targets) kept.push_back(std::exchange(gradient[t], 0.0f));
            const float of_row = of_rows.empty() ? 1.0f : of_rows[b];
            for (Index i = active_.n_certain(); i < n && of_row > 0; ++i) {
                const float sigmoid = std::min(gradient[i] / of_row, below_one);
                added[b] -= of_row * (weight_[i] - 1.0f) * std::log1p(-sigmoid);
                gradient[i] *= weight_[i];
            }
            for (std::size_t i = 0; i < targets.size(); ++i) gradient[targets[i]] = kept[i];
        }
    });
    return std::accumulate(added.begin(), added.end(), 0.0);
}

void OwnBatch::backward_output(const RowGradients& out, int n_threads) {
    const Index width = hidden_.width, n_active = active_.size();
    parallel_for(n_threads, 0, n_, ActiveProducts::example_block, [&](Index first, Index last) {
        products_->input_gradients(first, last, logits_.data(), hidden_.gradients.data() + first * width);
    });
    parallel_for(n_threads, 0, n_active, ActiveProducts::tile, [&](Index first, Index last) {
        products_->weight_gradients(first, last, logits_.data(), out.output + first * width);
        std::fill(out.output_bias + first, out.output_bias + last, 0.0f);
        for (Index b = 0; b < n_; ++b)
            kernels().axpy(last - first, 1.0f, logits_.data() + b * n_active + first, out.output_bias + first);
    });
}

void OwnBatch::backward_input(const RowGradients& out, int n_threads) {
    const Index width = hidden_.width;
    const UnitFunction function = config_.hidden.front().function();
    float* gradient = hidden_.gradients.data();
    std::fill_n(out.hidden_bias, width, 0.0f);
    for (Index b = 0; b < n_; ++b) {
        function.backward(width, hidden_.scales[b], hidden_.values.data() + b * width, gradient + b * width);
        kernels().axpy(width, 1.0f, gradient + b * width, out.hidden_bias);
    }
    parallel_for(n_threads, 0, std::ssize(features_.touched()), 64, [&](Index first, Index last) {
        for (Index t = first; t < last; ++t) {
            float* sum = out.input + t * width;
            std::fill_n(sum, width, 0.0f);
            const auto values = features_.example_values(t);
            kernels().weighted_sum(std::ssize(values), features_.examples(t).data(), values.data(), width, gradient,
                                   sum);
        }
    });
}

}  // namespace hashslide
