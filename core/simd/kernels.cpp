// Plain loops that the compiler vectorises: this file is compiled once for each instruction set, with HASHSLIDE_ISA set
// to its name. Nothing here may call an inline function of a shared header: the linker would keep only one of its
// copies, perhaps one that this CPU cannot run.
#include "simd/kernels.h"

#define HASHSLIDE_JOIN2(a, b) a##b
#define HASHSLIDE_JOIN(a, b) HASHSLIDE_JOIN2(a, b)
#define HASHSLIDE_TEXT2(a) #a
#define HASHSLIDE_TEXT(a) HASHSLIDE_TEXT2(a)

namespace hashslide {
namespace {

void axpy(Index n, float a, const float* __restrict x, float* __restrict y) {
    for (Index i = 0; i < n; ++i) y[i] += a * x[i];
}

float dot(Index n, const float* __restrict x, const float* __restrict y) {
    float s = 0;
    for (Index i = 0; i < n; ++i) s += x[i] * y[i];
    return s;
}

void dots_int8(Index rows, Index n, const std::int8_t* __restrict x, const std::int16_t* __restrict y,
               std::int32_t* __restrict out) {
    for (Index r = 0; r < rows; ++r) {
        std::int32_t s = 0;
        for (Index i = 0; i < n; ++i) s += static_cast<std::int16_t>(x[r * n + i]) * y[i];
        out[r] = s;
    }
}

float sum_of_squares(Index n, const float* x) {
    float s = 0;
    for (Index i = 0; i < n; ++i) s += x[i] * x[i];
    return s;
}

float maximum(Index n, const float* x) {
    float m = x[0];
    for (Index i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;
    return m;
}

void scale(Index n, float a, float* x) {
    for (Index i = 0; i < n; ++i) x[i] *= a;
}

// 2^t for t in [-126, 127]: the integer part goes into the exponent, the fraction f in [-1/2, 1/2] through a polynomial
// (Taylor coefficients of 2^f; relative error below 2e-7).
inline float exp2_bounded(float t) {
    const std::int32_t whole = static_cast<std::int32_t>(t + (t < 0.0f ? -0.5f : 0.5f));
    const float f = t - static_cast<float>(whole);
    float p = 1.5403530e-4f;
    p = p * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    return __builtin_bit_cast(float, __builtin_bit_cast(std::int32_t, p) + whole * (1 << 23));
}

inline float exp_clamped(float x) {
    float t = x * 1.44269504f;
    t = t < -126.0f ? -126.0f : t;
    t = t > 126.0f ? 126.0f : t;
    return exp2_bounded(t);
}

// log(1 + e) for e in [0, 1] by the series of 2 atanh(s), s = e / (2 + e) <= 1/3 (error below 1e-7).
inline float log1p_unit(float e) {
    const float s = e / (2.0f + e);
    const float q = s * s;
    float p = 1.0f / 13.0f;
    p = p * q + 1.0f / 11.0f;
    p = p * q + 1.0f / 9.0f;
    p = p * q + 1.0f / 7.0f;
    p = p * q + 1.0f / 5.0f;
    p = p * q + 1.0f / 3.0f;
    p = p * q + 1.0f;
    return 2.0f * s * p;
}

// With e = exp(-|z|): sigmoid(|z|) = 1 / (1 + e) and log(1 + exp(z)) = max(z, 0) + log(1 + e); nothing overflows.
// The sum is kept in blocks of floats, added up in double.
double sigmoid_loss(Index n, float* z) {
    constexpr Index block = 4096;
    double total = 0;
    for (Index begin = 0; begin < n; begin += block) {
        const Index end = begin + block < n ? begin + block : n;
        float sum = 0;
        for (Index i = begin; i < end; ++i) {
            const float x = z[i];
            const float positive = x > 0.0f ? x : 0.0f;
            const float e = exp_clamped(x - 2.0f * positive);
            const float r = 1.0f / (1.0f + e);
            sum += positive + log1p_unit(e);
            z[i] = x > 0.0f ? r : e * r;
        }
        total += sum;
    }
    return total;
}

double exp_sum(Index n, float shift, float* z) {
    float sum = 0;
    for (Index i = 0; i < n; ++i) {
        z[i] = exp_clamped(z[i] - shift);
        sum += z[i];
    }
    return sum;
}

// tanh(x) = 1 - 2 / (exp(2x) + 1).
void tanh_all(Index n, float* x) {
    for (Index i = 0; i < n; ++i) x[i] = 1.0f - 2.0f / (exp_clamped(2.0f * x[i]) + 1.0f);
}

void adam(Index n, const Kernels::AdamStep& step, const float* __restrict g, float* __restrict m, float* __restrict v,
          float* __restrict w) {
    const Kernels::AdamStep s = step;
    for (Index i = 0; i < n; ++i) {
        m[i] = s.beta1 * m[i] + (1.0f - s.beta1) * g[i];
        v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * g[i] * g[i];
        w[i] -= s.rate * (m[i] * s.correction1) / (__builtin_sqrtf(v[i] * s.correction2) + s.epsilon);
    }
}

}  // namespace

extern const Kernels HASHSLIDE_JOIN(kernels_, HASHSLIDE_ISA);
const Kernels HASHSLIDE_JOIN(kernels_, HASHSLIDE_ISA) = {HASHSLIDE_TEXT(HASHSLIDE_ISA),
                                                         axpy,
                                                         dot,
                                                         dots_int8,
                                                         sum_of_squares,
                                                         maximum,
                                                         scale,
                                                         tanh_all,
                                                         sigmoid_loss,
                                                         exp_sum,
                                                         adam};

}  // namespace hashslide
