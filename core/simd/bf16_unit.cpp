// The products by AVX-512 BF16 and by AMX, where the instruction set has them: compiled once for each, like
// kernels.cpp.
#include "simd/bf16_unit.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace hashslide::HASHSLIDE_ISA {

const Bf16Unit* bf16_unit();

#if !defined(__AVX512BF16__) && !defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)

const Bf16Unit* bf16_unit() { return nullptr; }

#elif defined(__AVX512BF16__)

namespace {

constexpr Index columns = Bf16Unit::columns, depth_step = Bf16Unit::depth_step;
constexpr int tile_rows = 8,
              tile_panels = 2;  // 16 sums, two registers of b: enough to hide the latency of the additions

Index padded(Index n) { return (n + depth_step - 1) / depth_step * depth_step; }
__mmask16 first16(Index n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1); }
__mmask32 first32(Index n) { return static_cast<__mmask32>(n >= 32 ? 0xffffffffu : n <= 0 ? 0 : (1u << n) - 1); }

// Columns of the last panel beyond n are neither read nor written.
template <int M, int P>
void tile(Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    const Index panel = depth * columns;
    const __mmask16 last = first16(n - (P - 1) * columns);
    __m512 sums[M][P];
    for (int m = 0; m < M; ++m)
        for (int p = 0; p < P; ++p)
            sums[m][p] = _mm512_maskz_loadu_ps(p + 1 < P ? __mmask16{0xffff} : last, c + m * ldc + p * columns);
    for (Index k = 0; k < depth; k += 2) {
        __m512bh right[P];
        for (int p = 0; p < P; ++p) right[p] = (__m512bh)_mm512_loadu_si512(b + p * panel + k * columns);
        for (int m = 0; m < M; ++m) {
            int pair;
            __builtin_memcpy(&pair, a + m * lda + k, sizeof pair);
            const __m512bh left = (__m512bh)_mm512_set1_epi32(pair);
            for (int p = 0; p < P; ++p) sums[m][p] = _mm512_dpbf16_ps(sums[m][p], left, right[p]);
        }
    }
    for (int m = 0; m < M; ++m)
        for (int p = 0; p < P; ++p)
            _mm512_mask_storeu_ps(c + m * ldc + p * columns, p + 1 < P ? __mmask16{0xffff} : last, sums[m][p]);
}

template <int P>
void tiles(Index m, Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    Index i = 0;
    for (; i + tile_rows <= m; i += tile_rows) tile<tile_rows, P>(n, depth, a + i * lda, lda, b, c + i * ldc, ldc);
    for (; i + 4 <= m; i += 4) tile<4, P>(n, depth, a + i * lda, lda, b, c + i * ldc, ldc);
    for (; i < m; ++i) tile<1, P>(n, depth, a + i * lda, lda, b, c + i * ldc, ldc);
}

void multiply(Index m, Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    constexpr Index both = tile_panels * columns;
    for (Index j = 0; j < n; j += both) {
        if (n - j > columns)
            tiles<tile_panels>(m, n - j < both ? n - j : both, depth, a, lda, b + j * depth, c + j, ldc);
        else
            tiles<1>(m, n - j, depth, a, lda, b + j * depth, c + j, ldc);
    }
}

#ifdef __AMX_BF16__

// Tile registers of 16 rows of 64 bytes: 16 x 16 sums, 16 x 32 numbers of a, 32 x 16 packed numbers of b.
struct TileConfig {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// 16 M rows and P panels; the numbers of registers have to be constants.
template <int M, int P>
void amx_tile(Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    constexpr Index rows = 16, packed_row = 2 * columns * sizeof(Bf16);
    const Index panel = depth * columns, a_row = lda * sizeof(Bf16), c_row = ldc * sizeof(float);
    _tile_loadd(0, c, c_row);
    if constexpr (P > 1) _tile_loadd(1, c + columns, c_row);
    if constexpr (M > 1) _tile_loadd(2, c + rows * ldc, c_row);
    if constexpr (M > 1 && P > 1) _tile_loadd(3, c + rows * ldc + columns, c_row);
    for (Index k = 0; k < depth; k += depth_step) {
        _tile_loadd(4, a + k, a_row);
        if constexpr (M > 1) _tile_loadd(5, a + rows * lda + k, a_row);
        _tile_loadd(6, b + k * columns, packed_row);
        if constexpr (P > 1) _tile_loadd(7, b + panel + k * columns, packed_row);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (P > 1) _tile_dpbf16ps(1, 4, 7);
        if constexpr (M > 1) _tile_dpbf16ps(2, 5, 6);
        if constexpr (M > 1 && P > 1) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_row);
    if constexpr (P > 1) _tile_stored(1, c + columns, c_row);
    if constexpr (M > 1) _tile_stored(2, c + rows * ldc, c_row);
    if constexpr (M > 1 && P > 1) _tile_stored(3, c + rows * ldc + columns, c_row);
}

template <int P>
void amx_tiles(Index m, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    Index i = 0;
    for (; i + 32 <= m; i += 32) amx_tile<2, P>(depth, a + i * lda, lda, b, c + i * ldc, ldc);
    for (; i + 16 <= m; i += 16) amx_tile<1, P>(depth, a + i * lda, lda, b, c + i * ldc, ldc);
}

// Whole tiles by AMX, the rows and columns that are left by AVX-512. The compiler does not know that tile instructions
// read and write memory.
void multiply_by_tiles(Index m, Index n, Index depth, const Bf16* a, Index lda, const Bf16* b, float* c, Index ldc) {
    const Index rows = m / 16 * 16, whole = n / columns * columns;
    if (rows > 0 && whole > 0) {
        const TileConfig config;
        asm volatile("" ::: "memory");
        _tile_loadconfig(&config);
        Index j = 0;
        for (; j + 2 * columns <= whole; j += 2 * columns) amx_tiles<2>(rows, depth, a, lda, b + j * depth, c + j, ldc);
        if (j < whole) amx_tiles<1>(rows, depth, a, lda, b + j * depth, c + j, ldc);
        _tile_release();
        asm volatile("" ::: "memory");
    }
    if (whole < n) multiply(rows, n - whole, depth, a, lda, b + whole * depth, c + whole, ldc);
    if (rows < m) multiply(m - rows, n, depth, a + rows * lda, lda, b, c + rows * ldc, ldc);
}

constexpr auto& best_multiply = multiply_by_tiles;
constexpr const char* name = "AMX BF16";

#else

constexpr auto& best_multiply = multiply;
constexpr const char* name = "AVX-512 BF16";

#endif

// 32 numbers of a row from `first` on, 0 beyond its end or where there is no row.
__m512i part_of(const Bf16* row, Index width, Index first) {
    return row ? _mm512_maskz_loadu_epi16(first32(width - first), row + first) : _mm512_setzero_si512();
}

void pack(Index n, Index width, const Bf16* const* rows, Bf16* packed) {
    const Index depth = padded(n), panel = depth * columns;
    alignas(64) std::uint16_t order[2][32];
    for (int i = 0; i < 32; ++i)
        for (int half = 0; half < 2; ++half)
            order[half][i] = static_cast<std::uint16_t>(16 * half + i / 2 + (i % 2 ? 32 : 0));
    const __m512i low = _mm512_load_si512(order[0]), high = _mm512_load_si512(order[1]);
    for (Index r = 0; r < depth; r += 2) {
        const Bf16 *even = r < n ? rows[r] : nullptr, *odd = r + 1 < n ? rows[r + 1] : nullptr;
        for (Index i = 0; i < width; i += 2 * columns) {
            const __m512i x = part_of(even, width, i), y = part_of(odd, width, i);
            Bf16* out = packed + i * depth + r * columns;
            _mm512_storeu_si512(out, _mm512_permutex2var_epi16(x, low, y));
            if (i + columns < width) _mm512_storeu_si512(out + panel, _mm512_permutex2var_epi16(x, high, y));
        }
    }
}

// 16 x 16 pairs of numbers.
void transpose(__m512i (&x)[16]) {
    __m512i y[16];
    for (int i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    for (int half = 0; half < 16; half += 8)
        for (int i = half; i < half + 4; ++i) {
            y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
            y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xdd);
        }
    for (int i = 0; i < 8; ++i) {
        x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
        x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xdd);
    }
}

void pack_transposed(Index n, Index width, const Bf16* const* rows, Bf16* packed) {
    const Index depth = padded(width);
    for (Index r = 0; r < n; r += columns)
        for (Index i = 0; i < depth; i += 2 * columns) {
            __m512i x[16];
            for (Index j = 0; j < 16; ++j) x[j] = part_of(r + j < n ? rows[r + j] : nullptr, width, i);
            transpose(x);
            for (Index j = 0; j < 16; ++j) _mm512_storeu_si512(packed + r * depth + (i + 2 * j) * columns, x[j]);
        }
}

void narrow_transposed(Index m, Index n, const float* x, Index ldx, Bf16* out, Index ldo) {
    alignas(64) std::uint16_t order[32];
    for (int i = 0; i < 32; ++i) order[i] = static_cast<std::uint16_t>(i / 2 + (i % 2 ? 16 : 0));
    const __m512i alternating = _mm512_load_si512(order);
    for (Index r = 0; r < padded(m); r += depth_step)
        for (Index i = 0; i < n; i += columns) {
            const __mmask16 there = first16(n - i);
            __m512i pairs[16];
            for (Index j = 0; j < 16; ++j) {
                const Index even = r + 2 * j, odd = even + 1;
                const __m512 low = _mm512_maskz_loadu_ps(even < m ? there : __mmask16{0}, x + even * ldx + i);
                const __m512 high = _mm512_maskz_loadu_ps(odd < m ? there : __mmask16{0}, x + odd * ldx + i);
                pairs[j] = _mm512_permutexvar_epi16(alternating, (__m512i)_mm512_cvtne2ps_pbh(high, low));
            }
            transpose(pairs);
            for (Index j = 0; j < 16 && i + j < n; ++j) _mm512_storeu_si512(out + (i + j) * ldo + r, pairs[j]);
        }
}

constexpr Bf16Unit unit{name, best_multiply, pack, pack_transposed, narrow_transposed};

}  // namespace

const Bf16Unit* bf16_unit() { return &unit; }

#endif

}  // namespace hashslide::HASHSLIDE_ISA
