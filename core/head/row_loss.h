// The loss of one example from the logits of its active classes, whose labels are corrected by themselves.
#pragma once

#include "base/types.h"
#include "learning/loss.h"

namespace hashslide {

// The labels of one example: n of them, at the places `places` of the row of logits.
struct RowTargets {
    Index n;
    const Id* places;
    const float* weight;  // as in HeadLabels
    const float* shift;   // of their logits, in place of the row's own
};

// z: n logits, overwritten by dLoss/dz. shift: what is subtracted from the logits; infinity leaves a class out.
double row_loss(LossKind kind, Index n, float* z, const float* shift, const RowTargets& targets);

// log(1 + exp(-z)) weighted, less log(1 + exp(z)), which the sum over all classes holds; and its gradient.
double positive_term(float z, float weight);
float positive_gradient(float z, float weight);

}  // namespace hashslide
