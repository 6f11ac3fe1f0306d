#include "layers/output_layer.h"

#include <algorithm>
#include <numeric>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// Sizes of the pieces of work, fixed so that results do not depend on the number of threads: a tile of gathered rows
// (128 x 256 floats) and its products stay in a core's second-level cache.
constexpr Index tile = 128;
constexpr Index example_block = 128;
constexpr Index hidden_block = 256;

}  // namespace

void OutputLayer::forward(const ActiveSet& active, const float* h, Index batch, Work& work, int n_threads) const {
    const Index n = active.size(), hidden = width();
    work.rows.resize(static_cast<std::size_t>(n * hidden));
    work.logits.resize(static_cast<std::size_t>(n * batch));
    parallel_for(n_threads, 0, n, tile, [&](Index first, Index last) {
        float* tile_bias = scratch(last - first);
        for (Index i = first; i < last; ++i) {
            const Index label = active.ids()[i];
            std::copy_n(weight.data() + label * hidden, hidden, work.rows.data() + i * hidden);
            tile_bias[i - first] = bias[label];
        }
        for (Index b = 0; b < batch; ++b) std::copy_n(tile_bias, last - first, work.logits.data() + b * n + first);
        gemm_nt(batch, last - first, hidden, h, hidden, work.rows.data() + first * hidden, hidden, 1.0f,
                work.logits.data() + first, n);
    });
}

double active_set_loss(LossKind kind, const ActiveSet& active, Index batch, float* logits, const float* shift,
                       const Selection& unshifted, const float* row_weight, const float* label_weight, int n_threads) {
    const Index n = active.size();
    std::vector<float> positive_weight;
    if (label_weight)
        for (const Id label : active.ids()) positive_weight.push_back(label_weight[label]);
    std::vector<double> losses(batch);
    parallel_for(n_threads, 0, batch, 8, [&](Index first, Index last) {
        std::vector<float> own_shift;
        for (Index b = first; b < last; ++b) {
            const std::size_t begin = active.target_begin()[b], end = active.target_begin()[b + 1];
            const bool is_own = b < unshifted.n() && !unshifted.of(b).empty();
            if (is_own) {
                own_shift.assign(shift, shift + n);
                for (const Id place : unshifted.of(b)) own_shift[place] = 0.0f;
            }
            losses[b] =
                loss_and_gradient(kind, n, logits + b * n, is_own ? own_shift.data() : shift,
                                  {active.targets().data() + begin, end - begin},
                                  label_weight ? positive_weight.data() : nullptr, row_weight ? row_weight[b] : 1.0f);
        }
    });
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

void OutputLayer::backward_and_update(const ActiveSet& active, const float* h, Index batch, Work& work,
                                      float* h_gradient, float rate, Index step, int n_threads) {
    const Index n = active.size(), hidden = width();
    const Index column_blocks = (hidden + hidden_block - 1) / hidden_block;
    const Index row_blocks = (batch + example_block - 1) / example_block;
    parallel_for(n_threads, 0, row_blocks * column_blocks, 1, [&](Index piece, Index) {
        const Index b = piece / column_blocks * example_block, c = piece % column_blocks * hidden_block;
        gemm_nn(std::min(example_block, batch - b), std::min(hidden_block, hidden - c), n, work.logits.data() + b * n,
                n, work.rows.data() + c, hidden, 0.0f, h_gradient + b * hidden + c, hidden);
    });
    parallel_for(n_threads, 0, n, tile,
                 [&](Index first, Index last) { update_tile(active, first, last, h, batch, work, rate, step); });
}

void OutputLayer::update_tile(const ActiveSet& active, Index first, Index last, const float* h, Index batch,
                              const Work& work, float rate, Index step) {
    const Index n = active.size(), hidden = width(), rows = last - first;
    float* gradient = scratch<0>(rows * hidden);
    float* bias_gradient = scratch<1>(rows);
    gemm_tn(rows, hidden, batch, work.logits.data() + first, n, h, hidden, 0.0f, gradient, hidden);
    std::fill_n(bias_gradient, rows, 0.0f);
    for (Index b = 0; b < batch; ++b) kernels().axpy(rows, 1.0f, work.logits.data() + b * n + first, bias_gradient);
    for (Index i = 0; i < rows; ++i)
        update(active.ids()[first + i], rate, step, gradient + i * hidden, bias_gradient[i]);
}

}  // namespace hashslide
