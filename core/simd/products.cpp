// Each sum runs over the lanes of one register, in the order of the coordinates; then the halves of the register are
// added until one lane is left. A tile of several queries and rows hides the latency of the additions and reads each
// register of a row once for all its queries. As in kernels.cpp, nothing here calls an inline function of another file.
#include "simd/products.h"

namespace hashslide::HASHSLIDE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int simd_floats = 16;
#elif defined(__AVX__)
constexpr int simd_floats = 8;
#else
constexpr int simd_floats = 4;
#endif

template <int n>
struct Register {
    typedef float Type __attribute__((vector_size(n * sizeof(float))));
};
using Floats = Register<simd_floats>::Type;

Floats load(const float* x) {
    Floats v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

// The first n lanes, 0 in the others.
Floats load_part(const float* x, Index n) {
    Floats v{};
    __builtin_memcpy(&v, x, n * sizeof(float));
    return v;
}

template <int n>
float sum(typename Register<n>::Type v) {
    if constexpr (n == 1) {
        return v[0];
    } else {
        typename Register<n / 2>::Type half[2];
        __builtin_memcpy(half, &v, sizeof v);
        return sum<n / 2>(half[0] + half[1]);
    }
}

// Q * R sums at once: 12 accumulators, a register for each row and one for a query fit 16 registers.
constexpr int tile_queries = 4, tile_rows = 3, single_rows = 8;

template <int Q, int R>
void tile(Index width, const float* const (&queries)[Q], const float* const (&rows)[R], float* out, Index ld) {
    Floats sums[Q][R] = {};
    Index i = 0;
    for (; i + simd_floats <= width; i += simd_floats) {
        Floats row[R];
        for (int r = 0; r < R; ++r) row[r] = load(rows[r] + i);
        for (int q = 0; q < Q; ++q) {
            const Floats query = load(queries[q] + i);
            for (int r = 0; r < R; ++r) sums[q][r] += query * row[r];
        }
    }
    if (i < width) {
        Floats row[R];
        for (int r = 0; r < R; ++r) row[r] = load_part(rows[r] + i, width - i);
        for (int q = 0; q < Q; ++q) {
            const Floats query = load_part(queries[q] + i, width - i);
            for (int r = 0; r < R; ++r) sums[q][r] += query * row[r];
        }
    }
    for (int q = 0; q < Q; ++q)
        for (int r = 0; r < R; ++r) out[q * ld + r] = sum<simd_floats>(sums[q][r]);
}

template <int Q, int R>
void tiles(Index n_rows, Index width, const float* queries, const float* rows, const Id* ids, float* out, Index ld) {
    constexpr Index line = 16, ahead = 8;
    const auto row = [&](Index r) { return rows + (ids ? ids[r] : r) * width; };
    const float* query[Q];
    for (int q = 0; q < Q; ++q) query[q] = queries + q * width;
    Index r = 0;
    for (; r + R <= n_rows; r += R) {
        for (Index next = r + ahead; ids && next < r + ahead + R && next < n_rows; ++next)
            for (Index i = 0; i < width; i += line) __builtin_prefetch(row(next) + i);
        const float* several[R];
        for (int j = 0; j < R; ++j) several[j] = row(r + j);
        tile<Q, R>(width, query, several, out + r, ld);
    }
    for (; r < n_rows; ++r) {
        const float* one[1] = {row(r)};
        tile<Q, 1>(width, query, one, out + r, ld);
    }
}

}  // namespace

float dot(Index n, const float* x, const float* y) {
    const float *queries[1] = {x}, *rows[1] = {y};
    float out;
    tile<1, 1>(n, queries, rows, &out, 1);
    return out;
}

void products(Index n_queries, Index n_rows, Index width, const float* queries, const float* rows, const Id* ids,
              float* out, Index ld) {
    Index q = 0;
    for (; q + tile_queries <= n_queries; q += tile_queries)
        tiles<tile_queries, tile_rows>(n_rows, width, queries + q * width, rows, ids, out + q * ld, ld);
    for (; q < n_queries; ++q) tiles<1, single_rows>(n_rows, width, queries + q * width, rows, ids, out + q * ld, ld);
}

}  // namespace hashslide::HASHSLIDE_ISA
