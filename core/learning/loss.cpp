#include "learning/loss.h"

#include <cmath>
#include <limits>

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
    if (targets.empty()) {
        std::fill_n(z, n, 0.0f);
        return 0.0;
    }
    const double share = 1.0 / static_cast<double>(targets.size());
    const SoftmaxPart all = softmax_part(n, z, shift, targets, positive_weight);
    softmax_gradient(n, z, all.weight * share / all.total, share, targets, positive_weight);
    return share * (all.weight * (all.top + std::log(all.total)) - all.target);
}

}  // namespace

SoftmaxPart softmax_part(Index n, float* z, const float* shift, std::span<const Id> targets,
                         const float* positive_weight) {
    const Kernels& k = kernels();
    k.axpy(n, -1.0f, shift, z);
    for (const Id t : targets) z[t] += shift[t];
    SoftmaxPart part{-std::numeric_limits<float>::infinity(), 0, 0, 0};
    for (const Id t : targets) {
        const double a = positive_weight ? positive_weight[t] : 1.0;
        part.target += a * z[t];
        part.weight += a;
    }
    if (n == 0) return part;
    part.top = k.maximum(n, z);
    part.total = k.exp_sum(n, part.top, z);
    return part;
}

void softmax_gradient(Index n, float* z, double factor, double share, std::span<const Id> targets,
                      const float* positive_weight) {
    kernels().scale(n, static_cast<float>(factor), z);
    for (const Id t : targets) z[t] -= static_cast<float>(share) * (positive_weight ? positive_weight[t] : 1.0f);
}

double first_bias(LossKind kind, double frequency) {
    return kind == LossKind::bce ? std::log(frequency / (1.0 - frequency)) : std::log(frequency);
}

double loss_and_gradient(LossKind kind, Index n, float* z, const float* shift, std::span<const Id> targets,
                         const float* positive_weight, float example_weight) {
    const double loss = kind == LossKind::bce ? binary_cross_entropy(n, z, shift, targets, positive_weight)
                                              : softmax_cross_entropy(n, z, shift, targets, positive_weight);
    if (example_weight != 1.0f) kernels().scale(n, example_weight, z);
    return example_weight * loss;
}

}  // namespace hashslide
