// Step 5: from the logits of the active set to the loss and its gradient, row by row.
#pragma once

#include <span>

#include "base/types.h"

namespace hashslide {

enum class LossKind { bce, softmax };

// Where the bias of a label begins that a share `frequency` of the examples carries: its log odds, or its log.
double first_bias(LossKind kind, double frequency);

// One example. z: logits of the n active labels, overwritten by dLoss/dz. targets: positions of its true labels.
//
// Negatives are seen only when they are in the active set, which happens with probability r, while positives always
// are. shift[i] = log r of active label i (0 where nothing is to be corrected) makes up for that:
//   bce      train on z - log r: then z alone estimates the log odds (case-control correction, Prentice & Pyke 1979)
//   softmax  the partition function is estimated without bias by weighting each negative by 1 / r (log Q correction,
//            Bengio & Senecal 2008); the true labels, certain to be there, are not corrected
// positive_weight (null: all 1): weight of a label's positive term, indexed like z.
// Returns the loss; `example_weight` multiplies loss and gradient.
double loss_and_gradient(LossKind kind, Index n, float* z, const float* shift, std::span<const Id> targets,
                         const float* positive_weight, float example_weight);

// What some labels of an example bring into its softmax, where others are elsewhere. z: their logits, which become
// exp(z - top); the rest as in loss_and_gradient.
struct SoftmaxPart {
    float top;                     // the largest corrected logit
    double total, weight, target;  // sum of exp(z - top); of the targets: sum of the weights, and of weight times logit
};
SoftmaxPart softmax_part(Index n, float* z, const float* shift, std::span<const Id> targets,
                         const float* positive_weight);
// From there to dLoss/dz. factor: what exp(z - top) is multiplied by; share: 1 / true labels of the example.
void softmax_gradient(Index n, float* z, double factor, double share, std::span<const Id> targets,
                      const float* positive_weight);

}  // namespace hashslide
