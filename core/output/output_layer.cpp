#include "output/output_layer.h"

#include <algorithm>
#include <numeric>

#include "base/parallel.h"
#include "base/prefetch.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {

void OutputLayer::forward(const ActiveSet& active, const float* h, Index batch, Work& work, int n_threads) const {
    if (!work.products) work.products = make_active_products(weight.precision());
    work.products->start(h, batch, width(), active.size());
    add_logits(active, batch, work, n_threads);
}

void OutputLayer::forward(const ActiveSet& active, const ActiveProducts& inputs, Index batch, Work& work,
                          int n_threads) const {
    if (!work.products) work.products = make_active_products(weight.precision());
    work.products->start_beside(inputs, active.size());
    add_logits(active, batch, work, n_threads);
}

void OutputLayer::add_logits(const ActiveSet& active, Index batch, Work& work, int n_threads) const {
    const Index n = active.size();
    work.logits.resize(static_cast<std::size_t>(n * batch));
    parallel_for(n_threads, 0, n, ActiveProducts::tile, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) prefetch(bias.data() + active.ids()[i], 1);
        work.products->gather(weight.view(), active.ids().data(), first, last);
        float* tile_bias = scratch(last - first);
        for (Index i = first; i < last; ++i) tile_bias[i - first] = bias[active.ids()[i]];
        for (Index b = 0; b < batch; ++b) std::copy_n(tile_bias, last - first, work.logits.data() + b * n + first);
        work.products->add_logits(first, last, work.logits.data());
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
            const bool is_own = b < unshifted.n() && !unshifted.of(b).empty();
            if (is_own) {
                own_shift.assign(shift, shift + n);
                for (const Id place : unshifted.of(b)) own_shift[place] = 0.0f;
            }
            losses[b] =
                loss_and_gradient(kind, n, logits + b * n, is_own ? own_shift.data() : shift, active.targets_of(b),
                                  label_weight ? positive_weight.data() : nullptr, row_weight ? row_weight[b] : 1.0f);
        }
    });
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

void OutputLayer::backward_and_update(const ActiveSet& active, Index batch, Work& work, float* h_gradient, float rate,
                                      Index step, int n_threads) {
    parallel_for(n_threads, 0, batch, ActiveProducts::example_block,
                 [&](Index first, Index last) { backward(first, last, work, h_gradient + first * width()); });
    update_active(active, batch, work, rate, step, n_threads);
}

void OutputLayer::update_active(const ActiveSet& active, Index batch, const Work& work, float rate, Index step,
                                int n_threads) {
    parallel_for(n_threads, 0, active.size(), ActiveProducts::tile,
                 [&](Index first, Index last) { update_tile(active, first, last, batch, work, rate, step); });
}

void OutputLayer::update_tile(const ActiveSet& active, Index first, Index last, Index batch, const Work& work,
                              float rate, Index step) {
    const Index n = active.size(), rows = last - first;
    float* gradient = scratch<0>(rows * width());
    float* bias_gradient = scratch<1>(rows);
    work.products->weight_gradients(first, last, work.logits.data(), gradient);
    std::fill_n(bias_gradient, rows, 0.0f);
    for (Index b = 0; b < batch; ++b) kernels().axpy(rows, 1.0f, work.logits.data() + b * n + first, bias_gradient);
    constexpr Index prefetched = 4;
    const auto fetch = [&](Index i) {
        prefetch_neuron(active.ids()[first + i]);
        prefetch_state(active.ids()[first + i]);
    };
    for (Index i = 0; i < std::min(prefetched, rows); ++i) fetch(i);
    for (Index i = 0; i < rows; ++i) {
        if (i + prefetched < rows) fetch(i + prefetched);
        update(active.ids()[first + i], rate, step, gradient + i * width(), bias_gradient[i]);
    }
}

}  // namespace hashslide
