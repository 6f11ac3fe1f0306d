// The products of bf16_unit.h by the instructions of ARM: compiled once for each instruction set, like kernels.cpp.
#include "simd/bf16_unit.h"

#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC

#include <arm_neon.h>

namespace hashslide::HASHSLIDE_ISA {

const Bf16Unit* bf16_unit();

namespace {

constexpr Index columns = Bf16Unit::columns, depth_step = Bf16Unit::depth_step;
constexpr int parts = 4;  // registers of a panel's 16 columns

Index padded(Index n) { return (n + depth_step - 1) / depth_step * depth_step; }

bfloat16x8_t load(const Bf16* x) { return vreinterpretq_bf16_u16(vld1q_u16(x)); }

// The products of M rows with a panel, n <= 16 columns of it.
template <int M>
void tile(Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    float32x4_t sums[M][parts];
    for (int m = 0; m < M; ++m)
        for (int p = 0; p < parts; ++p) sums[m][p] = vdupq_n_f32(0);
    for (Index k = 0; k < depth; k += 2)
        for (int m = 0; m < M; ++m) {
            std::uint32_t pair;
            __builtin_memcpy(&pair, a + m * lda + k, sizeof pair);
            const bfloat16x8_t left = vreinterpretq_bf16_u32(vdupq_n_u32(pair));
            for (int p = 0; p < parts; ++p)
                sums[m][p] = vbfdotq_f32(sums[m][p], left, load(b + k * columns + p * 2 * parts));
        }
    for (int m = 0; m < M; ++m) {
        float row[columns];
        for (int p = 0; p < parts; ++p) vst1q_f32(row + p * parts, sums[m][p]);
        for (Index j = 0; j < n; ++j) c[m * ldc + j] += row[j];
    }
}

void multiply(Index m, Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    constexpr int rows = 4;
    for (Index j = 0; j < n; j += columns) {
        const Index size = n - j < columns ? n - j : columns;
        const Bf16* panel = b + j * depth;
        Index i = 0;
        for (; i + rows <= m; i += rows) tile<rows>(size, depth, a + i * lda, lda, panel, c + i * ldc + j, ldc);
        for (; i < m; ++i) tile<1>(size, depth, a + i * lda, lda, panel, c + i * ldc + j, ldc);
    }
}

// Where entry (k, j) of a matrix with so many rows lies, packed.
Index place(Index depth, Index k, Index j) {
    return j / columns * depth * columns + k / 2 * 2 * columns + j % columns * 2 + k % 2;
}

void pack(Index n, Index width, const Bf16* const* rows, Bf16* packed) {
    const Index depth = padded(n), whole = (width + columns - 1) / columns * columns;
    for (Index k = 0; k < depth; ++k)
        for (Index j = 0; j < whole; ++j) packed[place(depth, k, j)] = k < n && j < width ? rows[k][j] : Bf16{0};
}

void pack_transposed(Index n, Index width, const Bf16* const* rows, Bf16* packed) {
    const Index depth = padded(width), whole = (n + columns - 1) / columns * columns;
    for (Index j = 0; j < whole; ++j)
        for (Index k = 0; k < depth; ++k) packed[place(depth, k, j)] = j < n && k < width ? rows[j][k] : Bf16{0};
}

void narrow_transposed(Index m, Index n, const float* x, Index ldx, Bf16* out, Index ldo) {
    for (Index j = 0; j < n; ++j)
        for (Index i = 0; i < padded(m); ++i) {
            const bfloat16_t narrowed = vcvth_bf16_f32(i < m ? x[i * ldx + j] : 0.0f);
            __builtin_memcpy(out + j * ldo + i, &narrowed, sizeof narrowed);
        }
}

constexpr Bf16Unit unit{"NEON BF16", multiply, pack, pack_transposed, narrow_transposed};

}  // namespace

const Bf16Unit* bf16_unit() { return &unit; }

}  // namespace hashslide::HASHSLIDE_ISA

#endif
