#include "learning/activation.h"

#include <algorithm>
#include <cmath>

#include "simd/kernels.h"

namespace hashslide {

void activate(Activation activation, Index n, float* z) {
    if (activation == Activation::relu) std::transform(z, z + n, z, [](float v) { return std::max(v, 0.0f); });
    if (activation == Activation::tanh) kernels().tanh(n, z);
}

void activation_backward(Activation activation, Index n, const float* a, float scale, float* gradient) {
    if (activation == Activation::relu)
        for (Index i = 0; i < n; ++i) gradient[i] = a[i] > 0 ? gradient[i] : 0.0f;
    if (activation == Activation::tanh)
        for (Index i = 0; i < n; ++i) gradient[i] *= 1.0f - (a[i] / scale) * (a[i] / scale);
}

float UnitFunction::forward(Index n, bool has_features, float* z) const {
    if (length != 0 && !has_features) {
        std::fill_n(z, n, 0.0f);
        return 0.0f;
    }
    activate(activation, n, z);
    if (length == 0) return 1.0f;
    // Divided by the largest magnitude first: squares of very large or small numbers do not fit.
    float largest = 0;
    for (Index i = 0; i < n; ++i) largest = std::max(largest, std::abs(z[i]));
    if (largest == 0) return 1.0f;
    const Kernels& k = kernels();
    k.scale(n, 1.0f / largest, z);
    const float soft = softness * length / largest;
    const float scale = length / std::sqrt(k.sum_of_squares(n, z) + soft * soft);
    k.scale(n, scale, z);
    return scale / largest;
}

// With h = s a, whatever the softness: dLoss/da = s (g - h (h . g) / length^2).
void UnitFunction::backward(Index n, float s, const float* h, float* gradient) const {
    if (s == 0) {
        std::fill_n(gradient, n, 0.0f);
        return;
    }
    if (length != 0) {
        const Kernels& k = kernels();
        k.axpy(n, -k.dot(n, h, gradient) / (length * length), h, gradient);
        k.scale(n, s, gradient);
    }
    activation_backward(activation, n, h, s, gradient);
}

}  // namespace hashslide
