#include "output_layer.h"

#include <algorithm>
#include <numeric>

#include "gemm.h"
#include "parallel.h"
#include "scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// Sizes of the pieces of work, fixed so that results do not depend on the number of threads: a tile of gathered rows
// (128 x 256 floats) and its products stay in a core's second-level cache.
constexpr Index tile = 128;
constexpr Index example_block = 128;
constexpr Index hidden_block = 256;

}  // namespace

OutputLayer::OutputLayer(Index n_labels, Index hidden, const OptimizerConfig& optimizer)
    : weight(n_labels * hidden),
      bias(n_labels),
      weight_optimizer(optimizer, n_labels, hidden),
      bias_optimizer(optimizer, n_labels, 1),
      n_labels_(n_labels),
      hidden_(hidden) {}

void OutputLayer::grow(Index n_labels) {
    const float least = n_labels_ > 0 ? *std::min_element(bias.data(), bias.data() + n_labels_) : 0.0f;
    weight.resize(n_labels * hidden_);
    bias.resize(n_labels);
    std::fill(bias.data() + n_labels_, bias.data() + n_labels, least);
    weight_optimizer.grow(n_labels);
    bias_optimizer.grow(n_labels);
    n_labels_ = n_labels;
}

void OutputLayer::forward(const ActiveSet& active, const float* h, Index batch, int n_threads) {
    const Index n = active.size();
    rows_.resize(static_cast<std::size_t>(n * hidden_));
    logits_.resize(static_cast<std::size_t>(n * batch));
    parallel_for(n_threads, 0, n, tile, [&](Index first, Index last) {
        float* tile_bias = scratch(last - first);
        for (Index i = first; i < last; ++i) {
            const Index label = active.ids()[i];
            std::copy_n(weight.data() + label * hidden_, hidden_, rows_.data() + i * hidden_);
            tile_bias[i - first] = bias[label];
        }
        for (Index b = 0; b < batch; ++b) std::copy_n(tile_bias, last - first, logits_.data() + b * n + first);
        gemm_nt(batch, last - first, hidden_, h, hidden_, rows_.data() + first * hidden_, hidden_, 1.0f,
                logits_.data() + first, n);
    });
}

double OutputLayer::loss(LossKind kind, const ActiveSet& active, Index batch, const float* shift,
                         const float* row_weight, const float* label_weight, int n_threads) {
    const Index n = active.size();
    std::vector<float> positive_weight;
    if (label_weight)
        for (const Id label : active.ids()) positive_weight.push_back(label_weight[label]);
    std::vector<double> losses(batch);
    parallel_for(n_threads, 0, batch, 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            const std::size_t begin = active.target_begin()[b], end = active.target_begin()[b + 1];
            losses[b] = loss_and_gradient(
                kind, n, logits_.data() + b * n, shift, {active.targets().data() + begin, end - begin},
                label_weight ? positive_weight.data() : nullptr, row_weight ? row_weight[b] : 1.0f);
        }
    });
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

void OutputLayer::backward_and_update(const ActiveSet& active, const float* h, Index batch, float* h_gradient,
                                      float rate, Index step, int n_threads) {
    const Index n = active.size();
    const Index column_blocks = (hidden_ + hidden_block - 1) / hidden_block;
    const Index row_blocks = (batch + example_block - 1) / example_block;
    parallel_for(n_threads, 0, row_blocks * column_blocks, 1, [&](Index piece, Index) {
        const Index b = piece / column_blocks * example_block, c = piece % column_blocks * hidden_block;
        gemm_nn(std::min(example_block, batch - b), std::min(hidden_block, hidden_ - c), n, logits_.data() + b * n, n,
                rows_.data() + c, hidden_, 0.0f, h_gradient + b * hidden_ + c, hidden_);
    });
    parallel_for(n_threads, 0, n, tile,
                 [&](Index first, Index last) { update_tile(active, first, last, h, batch, rate, step); });
}

void OutputLayer::update_tile(const ActiveSet& active, Index first, Index last, const float* h, Index batch, float rate,
                              Index step) {
    const Index n = active.size(), width = last - first;
    float* gradient = scratch<0>(width * hidden_);
    float* bias_gradient = scratch<1>(width);
    gemm_tn(width, hidden_, batch, logits_.data() + first, n, h, hidden_, 0.0f, gradient, hidden_);
    std::fill_n(bias_gradient, width, 0.0f);
    for (Index b = 0; b < batch; ++b) kernels().axpy(width, 1.0f, logits_.data() + b * n + first, bias_gradient);
    for (Index i = 0; i < width; ++i) {
        const Index label = active.ids()[first + i];
        weight_optimizer.update(label, rate, step, gradient + i * hidden_, weight.data() + label * hidden_);
        bias_optimizer.update(label, rate, step, bias_gradient + i, bias.data() + label);
    }
}

}  // namespace hashslide
