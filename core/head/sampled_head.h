// Linear layer and loss on the active classes of a batch, forward and backward, for another library's weights.
#pragma once

#include <memory>
#include <vector>

#include "head/active_classes.h"
#include "head/view.h"
#include "output/active_products.h"

namespace hashslide {

// Memory of a forward pass for its backward pass; kept, it serves later batches without new allocations.
class SampledHead {
public:
    // h (N, width) stays as it is until backward(). losses: (N,). 2 N A width operations for A active classes, in N A +
    // A width floats.
    void forward(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels, ActiveClasses active,
                 float* losses, int n_threads);
    // gradients: (N,), of the losses. dh (N, width), dw (A, width), db (A,) are set; each may be null. 4 N A width.
    void backward(const float* gradients, float* dh, float* dw, float* db, int n_threads);

    const ActiveClasses& active() const { return active_; }
    Index n_examples() const { return n_; }
    Index width() const { return width_; }

private:
    void scale(const float* gradients, int n_threads);

    ActiveClasses active_;
    std::unique_ptr<ActiveProducts> products_;
    Precision precision_ = Precision::float32;
    std::vector<float> logits_;  // (N, A): logits, then their gradients
    Index n_ = 0, width_ = 0;
};

}  // namespace hashslide
