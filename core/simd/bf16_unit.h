// Products of matrices of bfloat16 numbers with float32 sums, where the CPU has instructions for them.
#pragma once

#include "base/types.h"
#include "simd/bf16.h"

namespace hashslide {

// Such an instruction adds the products of pairs. So a right factor (depth, n) is packed into panels of 16 columns, in
// which the entries of two consecutive rows lie side by side: [ceil(n / 16)][depth / 2][16][2], padded with zeros.
struct Bf16Unit {
    static constexpr Index columns = 16;     // of a panel
    static constexpr Index depth_step = 32;  // depths are multiples of it

    const char* name;
    // c (m, n; ldc) += a b, a (m, depth; lda), b packed.
    void (*multiply)(Index m, Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc);
    // Packs the n rows of `width` numbers: as they are, (n, width), or transposed, (width, n). The depth, n or width,
    // is padded to the next multiple of depth_step.
    void (*pack)(Index n, Index width, const Bf16* const* rows, Bf16* packed);
    void (*pack_transposed)(Index n, Index width, const Bf16* const* rows, Bf16* packed);
    // out (n, ldo) = x^T of x (m, n; ldx), rounded to the nearest, m padded with zeros to the next multiple of
    // depth_step.
    void (*narrow_transposed)(Index m, Index n, const float* x, Index ldx, Bf16* out, Index ldo);
};

constexpr Index padded_depth(Index n) {
    return (n + Bf16Unit::depth_step - 1) / Bf16Unit::depth_step * Bf16Unit::depth_step;
}

}  // namespace hashslide
