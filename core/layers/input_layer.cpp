#include "layers/input_layer.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {

InputLayer::InputLayer(Index n_features, Index hidden, Activation activation, float length, float init_scale,
                       const OptimizerConfig& optimizer, std::uint64_t seed)
    : weight(n_features * hidden),
      bias(hidden),
      weight_optimizer(optimizer, n_features, hidden),
      bias_optimizer(optimizer, 1, hidden),
      n_features_(n_features),
      hidden_(hidden),
      activation_(activation),
      length_(length),
      init_scale_(init_scale),
      seed_(seed) {}

void InputLayer::initialise_rows(Index first, Index last) {
    const FlushDenormals flush;
    const CounterRng rng(seed_, Stream::input_weight, 0);
    const float width = init_scale_ * std::sqrt(12.0f);  // of the uniform distribution with that standard deviation
    parallel_for(available_cpus(), first, last, 256, [&](Index a, Index b) {
        for (Index i = a * hidden_; i < b * hidden_; ++i)
            weight[i] = width * (rng.uniform(static_cast<std::uint64_t>(i)) - 0.5f);
    });
}

void InputLayer::grow(Index n_features) {
    weight.resize(n_features * hidden_);
    weight_optimizer.grow(n_features);
    initialise_rows(n_features_, n_features);
    n_features_ = n_features;
}

// Returns what the activation was scaled by, 0 if it is as it comes. Without any feature it stays the short activation
// of the bias: at full length its direction, which is noise, would outweigh the labels' biases.
float InputLayer::forward_row(std::span<const Id> ids, std::span<const float> values, float* h) const {
    const Kernels& k = kernels();
    std::copy_n(bias.data(), hidden_, h);
    bool is_empty = true;
    for (std::size_t j = 0; j < ids.size(); ++j) {
        if (values[j] == 0) continue;
        k.axpy(hidden_, values[j], weight.data() + ids[j] * hidden_, h);
        is_empty = false;
    }
    activate(activation_, hidden_, h);
    if (length_ == 0 || is_empty) return 0.0f;
    // Divided by the largest magnitude first: squares of very large or small numbers do not fit.
    float largest = 0;
    for (Index i = 0; i < hidden_; ++i) largest = std::max(largest, std::abs(h[i]));
    if (largest == 0) return 0.0f;
    k.scale(hidden_, 1.0f / largest, h);
    const float scale = length_ / std::sqrt(k.sum_of_squares(hidden_, h));
    k.scale(hidden_, scale, h);
    return scale / largest;
}

void InputLayer::forward(const BatchFeatures& batch, std::vector<float>& scales, float* h, int n_threads) const {
    scales.resize(batch.n_examples());
    parallel_for(n_threads, 0, batch.n_examples(), 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b)
            scales[b] = forward_row(batch.ids(b), batch.kept_values(b), h + b * hidden_);
    });
}

void InputLayer::forward(const CsrView& x, Index first, Index n, float* h) const {
    for (Index i = 0; i < n; ++i) forward_row(x.ids(first + i), x.values(first + i), h + i * hidden_);
}

// From dLoss/dh to dLoss/dz. With h = s a, s = length / |a|: dLoss/da = s (g - h (h . g) / length^2).
void InputLayer::backward_row(float scale, const float* h, float* gradient) const {
    const Kernels& k = kernels();
    if (scale > 0) {
        k.axpy(hidden_, -k.dot(hidden_, h, gradient) / (length_ * length_), h, gradient);
        k.scale(hidden_, scale, gradient);
    }
    activation_backward(activation_, hidden_, h, scale > 0 ? scale : 1.0f, gradient);
}

void InputLayer::backward(const BatchFeatures& batch, const std::vector<float>& scales, const float* h, float* gradient,
                          float rate, Index step, int n_threads) {
    const Kernels& k = kernels();
    std::vector<float> bias_gradient(hidden_, 0.0f);
    for (Index b = 0; b < batch.n_examples(); ++b) {
        backward_row(scales[b], h + b * hidden_, gradient + b * hidden_);
        k.axpy(hidden_, 1.0f, gradient + b * hidden_, bias_gradient.data());
    }
    bias_optimizer.update(0, rate, step, bias_gradient.data(), bias.data());

    parallel_for(n_threads, 0, static_cast<Index>(batch.touched().size()), 64, [&](Index first, Index last) {
        float* sum = scratch(hidden_);
        for (Index t = first; t < last; ++t) {
            std::fill_n(sum, hidden_, 0.0f);
            bool kept = false;
            for (std::size_t e = 0; e < batch.examples(t).size(); ++e) {
                const float value = batch.kept_example_values(t)[e];
                if (value == 0) continue;
                k.axpy(hidden_, value, gradient + batch.examples(t)[e] * hidden_, sum);
                kept = true;
            }
            if (!kept) continue;  // dropped everywhere: untouched
            const Index feature = batch.touched()[t];
            weight_optimizer.update(feature, rate, step, sum, weight.data() + feature * hidden_);
        }
    });
}

}  // namespace hashslide
