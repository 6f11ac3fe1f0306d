#include "distributed/wire.h"

#include <algorithm>

#include "base/interrupt.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {

void to_wire(Index n, const float* values, float* residual, Bf16* out) {
    constexpr Index piece = 1 << 12;
    const Kernels& k = kernels();
    if (!residual) return k.narrow(n, values, out);
    for (Index first = 0; first < n; first += piece) {
        poll();
        const Index size = std::min(piece, n - first);
        float *left = residual + first, *rounded = scratch(size);
        k.axpy(size, 1.0f, values + first, left);
        k.narrow(size, left, out + first);
        k.widen(size, out + first, rounded);
        k.axpy(size, -1.0f, rounded, left);
    }
}

}  // namespace hashslide
