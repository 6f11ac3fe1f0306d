#include "head/row_loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "simd/kernels.h"

namespace hashslide {

double positive_term(float z, float weight) {
    const double softplus = std::max(z, 0.0f) + std::log1p(std::exp(-std::abs(z)));
    return weight * (softplus - z) - softplus;
}

float positive_gradient(float z, float weight) {
    const float sigmoid = 1.0f / (1.0f + std::exp(-z));
    return weight * (sigmoid - 1.0f) - sigmoid;
}

double row_loss(LossKind kind, Index n, float* z, const float* shift, const RowTargets& targets) {
    const Kernels& k = kernels();
    if (kind == LossKind::softmax && targets.n == 0) {
        std::fill_n(z, n, 0.0f);
        return 0.0;
    }
    thread_local std::vector<float> of_targets;
    of_targets.clear();
    for (Index i = 0; i < targets.n; ++i) {
        const float own = kind == LossKind::bce ? targets.shift[i] : 0.0f;
        of_targets.push_back(z[targets.places[i]] - own);
    }
    k.axpy(n, -1.0f, shift, z);
    for (Index i = 0; i < targets.n; ++i) z[targets.places[i]] = of_targets[i];
    double loss = 0;
    if (kind == LossKind::bce) {
        loss = k.sigmoid_loss(n, z);
        for (Index i = 0; i < targets.n; ++i) {
            loss += positive_term(of_targets[i], targets.weight[i]);
            z[targets.places[i]] = targets.weight[i] * (z[targets.places[i]] - 1.0f);
        }
        return loss;
    }
    double weight = 0;
    for (Index i = 0; i < targets.n; ++i) {
        weight += targets.weight[i];
        loss -= static_cast<double>(targets.weight[i]) * of_targets[i];
    }
    const float top = k.maximum(n, z);
    const double total = k.exp_sum(n, top, z);
    k.scale(n, static_cast<float>(weight / total), z);
    for (Index i = 0; i < targets.n; ++i) z[targets.places[i]] -= targets.weight[i];
    return loss + weight * (top + std::log(total));
}

}  // namespace hashslide
