#include "learning/activation.h"

#include <algorithm>

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

}  // namespace hashslide
