#include "learning/loss.h"

#include <cmath>

#include "simd/kernels.h"

namespace hashslide {
namespace {

// One-vs-all: sum over the active labels of log(1 + exp(z)) - t z, gradient sigmoid(z) - t.
// A positive of weight a contributes a log(1 + exp(-z)) = a (log(1 + exp(z)) - z).
double binary_cross_entropy(Index n, float* z, const float* shift, std::span<const Id> targets,
                            const float* positive_weight) {
    const Kernels& k = kernels();
    k.axpy(n, -1.0f, shift, z);
    double positives = 0;
    for (const Id t : targets) {
        const float a = positive_weight ? positive_weight[t] : 1.0f;
        const double softplus = std::max(z[t], 0.0f) + std::log1p(std::exp(-std::abs(z[t])));
        positives += a * (softplus - z[t]) - softplus;
    }
    const double negatives = k.sigmoid_loss(n, z);
    for (const Id t : targets) z[t] = (positive_weight ? positive_weight[t] : 1.0f) * (z[t] - 1.0f);
    return negatives + positives;
}

// Multi-class: the targets share the mass equally, log sum exp(z) - mean of z over the targets; an example without a
// label has no loss.
double softmax_cross_entropy(Index n, float* z, const float* shift, std::span<const Id> targets,
                             const float* positive_weight) {
    const Kernels& k = kernels();
    if (targets.empty()) {
        std::fill_n(z, n, 0.0f);
        return 0.0;
    }
    k.axpy(n, -1.0f, shift, z);
    for (const Id t : targets) z[t] += shift[t];
    double mean_target = 0, weight = 0;
    for (const Id t : targets) {
        const double a = positive_weight ? positive_weight[t] : 1.0;
        mean_target += a * z[t];
        weight += a;
    }
    const double share = 1.0 / static_cast<double>(targets.size());
    const float top = k.maximum(n, z);
    const double total = k.exp_sum(n, top, z);
    k.scale(n, static_cast<float>(weight * share / total), z);
    for (const Id t : targets) z[t] -= static_cast<float>(share) * (positive_weight ? positive_weight[t] : 1.0f);
    return share * (weight * (top + std::log(total)) - mean_target);
}

}  // namespace

double loss_and_gradient(LossKind kind, Index n, float* z, const float* shift, std::span<const Id> targets,
                         const float* positive_weight, float example_weight) {
    const double loss = kind == LossKind::bce ? binary_cross_entropy(n, z, shift, targets, positive_weight)
                                              : softmax_cross_entropy(n, z, shift, targets, positive_weight);
    if (example_weight != 1.0f) kernels().scale(n, example_weight, z);
    return example_weight * loss;
}

}  // namespace hashslide
