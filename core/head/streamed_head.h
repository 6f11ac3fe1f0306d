// Loss, gradients and best classes over all classes, block by block: never a matrix of examples times classes.
#pragma once

#include <cstdint>

#include "head/view.h"

namespace hashslide {

// What the backward pass needs of the forward pass.
struct StreamedLoss {
    float* losses;         // (N,)
    float* log_partition;  // (N,): log of the sum of exp(z); softmax alone
    float* target_logits;  // one for each label
};

// 2 N C width operations.
void streamed_loss(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels,
                   const StreamedLoss& out, int n_threads);

// gradients: (N,), of the losses. dh (N, width), dw (C, width) and db (C,) are set; each may be null. 6 N C width.
void streamed_gradient(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels,
                       const StreamedLoss& made, const float* gradients, float* dh, float* dw, float* db,
                       int n_threads);

// classes, scores: (n, k), best first, ties by the smaller class. 1 <= k <= C. A class has the same score, bit for bit,
// whatever rows come with its own.
void streamed_topk(const HeadView& head, const float* h, Index n, Index k, std::int64_t* classes, float* scores,
                   int n_threads);

}  // namespace hashslide
