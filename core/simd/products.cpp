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

typedef Bf16 Halves __attribute__((vector_size(simd_floats * sizeof(Bf16))));
typedef std::uint32_t Bits __attribute__((vector_size(simd_floats * sizeof(float))));

Floats widened(Halves v) {
    const Bits bits = __builtin_convertvector(v, Bits) << 16;
    return __builtin_bit_cast(Floats, bits);
}

Floats load(const Bf16* x) {
    Halves v;
    __builtin_memcpy(&v, x, sizeof v);
    return widened(v);
}

// The first n lanes, 0 in the others.
Floats load_part(const float* x, Index n) {
    Floats v{};
    __builtin_memcpy(&v, x, n * sizeof(float));
    return v;
}

Floats load_part(const Bf16* x, Index n) {
    Halves v{};
    __builtin_memcpy(&v, x, n * sizeof(Bf16));
    return widened(v);
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

template <int Q, int R, class Weight>
void tile(Index width, const float* const (&queries)[Q], const Weight* const (&rows)[R], float* out, Index ld) {
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

template <int Q, int R, class Weight>
void tiles(Index n_rows, Index width, const float* queries, const Weight* rows, const Id* ids, float* out, Index ld) {
    constexpr Index line = 64 / sizeof(Weight), ahead = 8;
    const auto row = [&](Index r) { return rows + (ids ? ids[r] : r) * width; };
    const float* query[Q];
    for (int q = 0; q < Q; ++q) query[q] = queries + q * width;
    Index r = 0;
    for (; r + R <= n_rows; r += R) {
        for (Index next = r + ahead; ids && next < r + ahead + R && next < n_rows; ++next)
            for (Index i = 0; i < width; i += line) __builtin_prefetch(row(next) + i);
        const Weight* several[R];
        for (int j = 0; j < R; ++j) several[j] = row(r + j);
        tile<Q, R>(width, query, several, out + r, ld);
    }
    for (; r < n_rows; ++r) {
        const Weight* one[1] = {row(r)};
        tile<Q, 1>(width, query, one, out + r, ld);
    }
}

template <class Weight>
float one_product(Index n, const float* x, const Weight* y) {
    const float* queries[1] = {x};
    const Weight* rows[1] = {y};
    float out;
    tile<1, 1>(n, queries, rows, &out, 1);
    return out;
}

template <class Weight>
void all_products(Index n_queries, Index n_rows, Index width, const float* queries, const Weight* rows, const Id* ids,
                  float* out, Index ld) {
    Index q = 0;
    for (; q + tile_queries <= n_queries; q += tile_queries)
        tiles<tile_queries, tile_rows>(n_rows, width, queries + q * width, rows, ids, out + q * ld, ld);
    for (; q < n_queries; ++q) tiles<1, single_rows>(n_rows, width, queries + q * width, rows, ids, out + q * ld, ld);
}

// R registers of y, or a part of one, stay in the CPU for all rows.
template <int R, class Weight>
void sum_columns(Index n, const Id* ids, const float* a, Index width, const Weight* rows, float* y) {
    constexpr Index line = 64 / sizeof(Weight), ahead = 6;
    Floats sums[R];
    for (int r = 0; r < R; ++r) sums[r] = load(y + r * simd_floats);
    for (Index i = 0; i < n; ++i) {
        for (Index c = 0; i + ahead < n && c < R * simd_floats; c += line)
            __builtin_prefetch(rows + ids[i + ahead] * width + c);
        if (a[i] == 0.0f) continue;
        const Weight* row = rows + ids[i] * width;
        for (int r = 0; r < R; ++r) sums[r] += a[i] * load(row + r * simd_floats);
    }
    __builtin_memcpy(y, sums, sizeof sums);
}

template <class Weight>
void sum_rest(Index n, const Id* ids, const float* a, Index width, Index columns, const Weight* rows, float* y) {
    Floats sums = load_part(y, columns);
    for (Index i = 0; i < n; ++i)
        if (a[i] != 0.0f) sums += a[i] * load_part(rows + ids[i] * width, columns);
    __builtin_memcpy(y, &sums, columns * sizeof(float));
}

template <class Weight>
void sum_rows(Index n, const Id* ids, const float* a, Index width, const Weight* rows, float* y) {
    constexpr int registers = 8;
    constexpr Index wide = registers * simd_floats;
    Index c = 0;
    for (; c + wide <= width; c += wide) sum_columns<registers>(n, ids, a, width, rows + c, y + c);
    for (; c + simd_floats <= width; c += simd_floats) sum_columns<1>(n, ids, a, width, rows + c, y + c);
    if (c < width) sum_rest(n, ids, a, width, width - c, rows + c, y + c);
}

}  // namespace

float dot(Index n, const float* x, const float* y) { return one_product(n, x, y); }
float dot_bf16(Index n, const float* x, const Bf16* y) { return one_product(n, x, y); }

void products(Index n_queries, Index n_rows, Index width, const float* queries, const float* rows, const Id* ids,
              float* out, Index ld) {
    all_products(n_queries, n_rows, width, queries, rows, ids, out, ld);
}

void products_bf16(Index n_queries, Index n_rows, Index width, const float* queries, const Bf16* rows, const Id* ids,
                   float* out, Index ld) {
    all_products(n_queries, n_rows, width, queries, rows, ids, out, ld);
}

void weighted_sum(Index n, const Id* ids, const float* a, Index width, const float* rows, float* y) {
    sum_rows(n, ids, a, width, rows, y);
}

void weighted_sum_bf16(Index n, const Id* ids, const float* a, Index width, const Bf16* rows, float* y) {
    sum_rows(n, ids, a, width, rows, y);
}

}  // namespace hashslide::HASHSLIDE_ISA
