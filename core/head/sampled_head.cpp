#include "head/sampled_head.h"

#include <algorithm>
#include <utility>

#include "base/parallel.h"
#include "base/scratch.h"
#include "head/row_loss.h"
#include "simd/kernels.h"

namespace hashslide {

void SampledHead::forward(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels,
                          ActiveClasses active, float* losses, int n_threads) {
    const FlushDenormals flush;
    active_ = std::move(active);
    n_ = labels.n_examples;
    width_ = head.weight.width;
    const Precision precision = head.weight.half ? Precision::bfloat16 : Precision::float32;
    if (!products_ || precision != precision_) products_ = make_active_products(precision);
    precision_ = precision;
    const Index size = std::ssize(active_.ids);
    products_->start(h, n_, width_, size);
    logits_.resize(static_cast<std::size_t>(n_ * size));
    const Id* ids = active_.ids.data();
    parallel_for(n_threads, 0, size, ActiveProducts::tile, [&](Index first, Index last) {
        products_->gather(head.weight, ids, first, last);
        float* bias = scratch(last - first);
        for (Index i = first; i < last; ++i) bias[i - first] = head.bias ? head.bias[ids[i]] : 0.0f;
        for (Index b = 0; b < n_; ++b) std::copy_n(bias, last - first, logits_.data() + b * size + first);
        products_->add_logits(first, last, logits_.data());
    });
    parallel_for(n_threads, 0, n_, 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            const Index begin = labels.begin[b];
            const RowTargets targets{labels.begin[b + 1] - begin, active_.places.data() + begin, labels.weight + begin,
                                     active_.target_shift.data() + begin};
            losses[b] =
                static_cast<float>(row_loss(kind, size, logits_.data() + b * size, active_.shift.data(), targets));
        }
    });
}

void SampledHead::backward(const float* gradients, float* dh, float* dw, float* db, int n_threads) {
    const FlushDenormals flush;
    const Index size = std::ssize(active_.ids);
    scale(gradients, n_threads);
    if (dh)
        parallel_for(n_threads, 0, n_, ActiveProducts::example_block, [&](Index first, Index last) {
            products_->input_gradients(first, last, logits_.data(), dh + first * width_);
        });
    parallel_for(n_threads, 0, size, ActiveProducts::tile, [&](Index first, Index last) {
        if (dw) products_->weight_gradients(first, last, logits_.data(), dw + first * width_);
        if (!db) return;
        std::fill_n(db + first, last - first, 0.0f);
        for (Index b = 0; b < n_; ++b)
            kernels().axpy(last - first, 1.0f, logits_.data() + b * size + first, db + first);
    });
}

void SampledHead::scale(const float* gradients, int n_threads) {
    const Index size = std::ssize(active_.ids);
    parallel_for(n_threads, 0, n_, 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) kernels().scale(size, gradients[b], logits_.data() + b * size);
    });
}

}  // namespace hashslide
