#include "input_layer.h"

#include <algorithm>
#include <cmath>

#include "parallel.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

void activate(Activation activation, Index n, float* h) {
    if (activation == Activation::relu) std::transform(h, h + n, h, [](float v) { return std::max(v, 0.0f); });
    if (activation == Activation::tanh) kernels().tanh(n, h);
}

// gradient *= activation'(z), written in terms of h = activation(z).
void activation_backward(Activation activation, Index n, const float* h, float* gradient) {
    if (activation == Activation::relu)
        for (Index i = 0; i < n; ++i) gradient[i] = h[i] > 0 ? gradient[i] : 0.0f;
    if (activation == Activation::tanh)
        for (Index i = 0; i < n; ++i) gradient[i] *= 1.0f - h[i] * h[i];
}

}  // namespace

void BatchFeatures::gather(const CsrView& x, const Index* rows, Index n_rows, float dropout, const CounterRng& rng) {
    indptr.assign(1, 0);
    ids.clear();
    values.clear();
    const float scale = 1.0f / (1.0f - dropout);
    for (Index b = 0; b < n_rows; ++b) {
        const auto row_ids = x.ids(rows[b]);
        const auto row_values = x.values(rows[b]);
        for (std::size_t j = 0; j < row_ids.size(); ++j) {
            const std::uint64_t draw = (static_cast<std::uint64_t>(b) << 32) | j;
            if (dropout > 0 && rng.uniform(draw) < dropout) continue;
            ids.push_back(row_ids[j]);
            values.push_back(row_values[j] * scale);
        }
        indptr.push_back(static_cast<Index>(ids.size()));
    }
}

InputLayer::InputLayer(Index n_features, Index hidden, Activation activation, float init_scale, const OptimizerConfig& optimizer,
                       std::uint64_t seed)
    : weight(n_features * hidden),
      bias(hidden),
      weight_optimizer(optimizer, n_features, hidden),
      bias_optimizer(optimizer, 1, hidden),
      n_features_(n_features),
      hidden_(hidden),
      activation_(activation),
      init_scale_(init_scale),
      seed_(seed),
      touched_(n_features) {
    initialise_rows(0, n_features);
}

void InputLayer::initialise_rows(Index first, Index last) {
    if (init_scale_ == 0) return;
    const CounterRng rng(seed_, Stream::input_weight, 0);
    const float width = init_scale_ * std::sqrt(12.0f);  // of the uniform distribution with that standard deviation
    parallel_for(available_cpus(), first, last, 256, [&](Index a, Index b) {
        for (Index i = a * hidden_; i < b * hidden_; ++i) weight[i] = width * (rng.uniform(static_cast<std::uint64_t>(i)) - 0.5f);
    });
}

void InputLayer::grow(Index n_features) {
    weight.resize(n_features * hidden_);
    weight_optimizer.grow(n_features);
    touched_.grow(n_features);
    initialise_rows(n_features_, n_features);
    n_features_ = n_features;
}

void InputLayer::forward_row(std::span<const Id> ids, std::span<const float> values, float* h) const {
    const Kernels& k = kernels();
    std::copy_n(bias.data(), hidden_, h);
    for (std::size_t j = 0; j < ids.size(); ++j) k.axpy(hidden_, values[j], weight.data() + ids[j] * hidden_, h);
    activate(activation_, hidden_, h);
}

void InputLayer::forward(const BatchFeatures& batch, float* h, int n_threads) const {
    parallel_for(n_threads, 0, batch.size(), 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            const std::size_t begin = static_cast<std::size_t>(batch.indptr[b]);
            const std::size_t n = static_cast<std::size_t>(batch.indptr[b + 1]) - begin;
            forward_row({batch.ids.data() + begin, n}, {batch.values.data() + begin, n}, h + b * hidden_);
        }
    });
}

void InputLayer::forward(const CsrView& x, Index first, Index n, float* h) const {
    for (Index i = 0; i < n; ++i) forward_row(x.ids(first + i), x.values(first + i), h + i * hidden_);
}

// Counting sort of the batch's entries by feature; features in the order of their first appearance.
void InputLayer::group_by_feature(const BatchFeatures& batch) {
    touched_.clear();
    entry_begin_.assign(1, 0);
    for (const Id id : batch.ids) {
        const Id position = touched_.insert(id);
        if (static_cast<std::size_t>(position) + 1 == entry_begin_.size()) entry_begin_.push_back(0);
        ++entry_begin_[position + 1];
    }
    for (std::size_t i = 1; i < entry_begin_.size(); ++i) entry_begin_[i] += entry_begin_[i - 1];
    entry_example_.resize(batch.ids.size());
    entry_value_.resize(batch.ids.size());
    std::vector<Index> next(entry_begin_.begin(), entry_begin_.end() - 1);
    for (Index b = 0; b < batch.size(); ++b) {
        for (Index j = batch.indptr[b]; j < batch.indptr[b + 1]; ++j) {
            const Index entry = next[touched_.position(batch.ids[j])]++;
            entry_example_[entry] = static_cast<Id>(b);
            entry_value_[entry] = batch.values[j];
        }
    }
}

void InputLayer::backward(const BatchFeatures& batch, const float* h, float* gradient, float rate, Index step, int n_threads) {
    const Kernels& k = kernels();
    std::vector<float> bias_gradient(hidden_, 0.0f);
    for (Index b = 0; b < batch.size(); ++b) {
        activation_backward(activation_, hidden_, h + b * hidden_, gradient + b * hidden_);
        k.axpy(hidden_, 1.0f, gradient + b * hidden_, bias_gradient.data());
    }
    bias_optimizer.update(0, rate, step, bias_gradient.data(), bias.data());

    group_by_feature(batch);
    parallel_for(n_threads, 0, touched_.size(), 64, [&](Index first, Index last) {
        std::vector<float> sum(hidden_);
        for (Index i = first; i < last; ++i) {
            std::fill(sum.begin(), sum.end(), 0.0f);
            for (Index e = entry_begin_[i]; e < entry_begin_[i + 1]; ++e)
                k.axpy(hidden_, entry_value_[e], gradient + entry_example_[e] * hidden_, sum.data());
            const Index feature = touched_.ids()[i];
            weight_optimizer.update(feature, rate, step, sum.data(), weight.data() + feature * hidden_);
        }
    });
}

}  // namespace hashslide
