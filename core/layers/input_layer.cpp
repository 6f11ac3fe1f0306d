#include "layers/input_layer.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index prefetched = 4;  // rows that are asked for ahead of their update

}  // namespace

InputRows::InputRows(Index n_features, Index hidden, float init_scale, const OptimizerConfig& optimizer,
                     Precision precision, std::uint64_t seed)
    : weight(n_features, hidden, precision, seed, Stream::input_rounding),
      weight_optimizer(optimizer, n_features, hidden),
      n_features_(n_features),
      hidden_(hidden),
      init_scale_(init_scale),
      seed_(seed) {}

void InputRows::initialise_rows(Index first, Index last) {
    weight.draw(first, last, init_scale_, CounterRng(seed_, Stream::input_weight, 0));
}

void InputRows::grow(Index n_features) {
    weight.resize(n_features);
    weight_optimizer.grow(n_features);
    initialise_rows(n_features_, n_features);
    n_features_ = n_features;
}

void InputRows::update(const BatchFeatures& batch, const float* gradient, float rate, Index step, int n_threads) {
    const Kernels& k = kernels();
    const Index n_touched = std::ssize(batch.touched());
    parallel_for(n_threads, 0, n_touched, 64, [&](Index first, Index last) {
        float* sum = scratch(hidden_);
        for (Index t = first; t < last; ++t) {
            if (t + prefetched < n_touched) {
                weight.view().prefetch(batch.touched()[t + prefetched]);
                weight_optimizer.prefetch_row(batch.touched()[t + prefetched]);
            }
            const auto values = batch.example_values(t);
            if (std::ranges::none_of(values, [](float v) { return v != 0; }))
                continue;  // dropped everywhere: untouched
            std::fill_n(sum, hidden_, 0.0f);
            k.weighted_sum(std::ssize(values), batch.examples(t).data(), values.data(), hidden_, gradient, sum);
            const Index feature = batch.touched()[t];
            weight.update(feature, step, [&](float* row) { weight_optimizer.update(feature, rate, step, sum, row); });
        }
    });
}

InputLayer::InputLayer(Index n_features, Index hidden, const UnitFunction& function, float init_scale,
                       const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed)
    : InputRows(n_features, hidden, init_scale, optimizer, precision, seed),
      bias(hidden),
      bias_optimizer(optimizer, 1, hidden),
      function_(function) {}

void InputLayer::start(const std::vector<char>& has_features, Activations& out) const {
    out.resize_dense(std::ssize(has_features), hidden());
    out.scales.resize(out.n);
    out.has_features = has_features;
}

void InputLayer::forward_row(std::span<const Id> ids, std::span<const float> values, Index row,
                             Activations& out) const {
    float* h = out.values.data() + row * hidden();
    std::copy_n(bias.data(), hidden(), h);
    weight.view().add_all(std::ssize(ids), ids.data(), values.data(), h);
    out.scales[row] = function_.forward(hidden(), out.has_features[row], h);
}

void InputLayer::forward(BatchFeatures& batch, const std::vector<char>& has_features, Activations& out,
                         int n_threads) const {
    constexpr Index rows = 16;
    start(has_features, out);
    const Index pieces = (out.n + rows - 1) / rows;
    parallel_for(n_threads, 0, 1 + pieces, 1, [&](Index piece, Index) {
        if (piece == 0) return batch.group_by_feature();  // which cannot be shared
        for (Index b = (piece - 1) * rows; b < std::min(out.n, piece * rows); ++b)
            forward_row(batch.ids(b), batch.values(b), b, out);
    });
}

void InputLayer::predict(const Vectors& in, const std::vector<char>& has_features, Activations& out,
                         int n_threads) const {
    start(has_features, out);
    parallel_for(n_threads, 0, in.n, 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            const auto n = static_cast<std::size_t>(in.size(b));
            forward_row({in.ids + in.begin[b], n}, {in.values + in.begin[b], n}, b, out);
        }
    });
}

void InputLayer::backward(Activations& out, int n_threads) const {
    parallel_for(n_threads, 0, out.n, 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b)
            function_.backward(hidden(), out.scales[b], out.values.data() + b * hidden(),
                               out.gradients.data() + b * hidden());
    });
}

void InputLayer::update(const BatchFeatures& batch, const Activations& out, float rate, Index step, int n_threads) {
    std::vector<float> bias_gradient(hidden(), 0.0f);
    for (Index b = 0; b < out.n; ++b)
        kernels().axpy(hidden(), 1.0f, out.gradients.data() + b * hidden(), bias_gradient.data());
    bias_optimizer.update(0, rate, step, bias_gradient.data(), bias.data());
    InputRows::update(batch, out.gradients.data(), rate, step, n_threads);
}

}  // namespace hashslide
