// A tile of several queries and panels hides the latency of the additions and reads each register of weights once for
// all its queries. As in kernels.cpp, nothing here calls an inline function of another file, but for intrinsics.
#include "simd/screening.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace hashslide::HASHSLIDE_ISA {
namespace {

#if defined(__AVX512BW__)
constexpr int simd_bytes = 64, tile_queries = 12, few_queries = 4, tile_panels = 2;
#elif defined(__AVX2__)
constexpr int simd_bytes = 32, tile_queries = 4, few_queries = 2, tile_panels = 1;
#else
constexpr int simd_bytes = 16, tile_queries = 1, few_queries = 1, tile_panels = 1;
#endif
constexpr int panel_bytes = panel_labels * group, parts = panel_bytes / simd_bytes;  // registers of a panel's group
typedef std::uint32_t Ints __attribute__((vector_size(simd_bytes)));
// One number for each label of a panel. References: no register of lesser instruction sets holds as many.
typedef float Floats __attribute__((vector_size(panel_labels * sizeof(float)), aligned(4), may_alias));
typedef std::int32_t Products __attribute__((vector_size(panel_labels * sizeof(float)), aligned(4), may_alias));
const Floats& floats(const float* x) { return *reinterpret_cast<const Floats*>(x); }

template <class T>
T load(const void* from) {
    T v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

// sums + the products of the four weights in each lane with the four numbers of a query.
#if defined(__AVX512VNNI__)
Ints add_products(Ints sums, Ints weights, std::uint32_t query) {
    return (Ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)weights, _mm512_set1_epi32(query));
}
#elif defined(__AVX512BW__)
Ints add_products(Ints sums, Ints weights, std::uint32_t query) {
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)weights, _mm512_set1_epi32(query));
    return sums + (Ints)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}
#elif defined(__AVX2__)
Ints add_products(Ints sums, Ints weights, std::uint32_t query) {
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)weights, _mm256_set1_epi32(query));
    return sums + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#else
Ints add_products(Ints sums, Ints weights, std::uint32_t query) {
    typedef std::int16_t Shorts __attribute__((vector_size(simd_bytes)));
    typedef std::int32_t SignedInts __attribute__((vector_size(simd_bytes)));
    const Shorts numbers = (Shorts)(Ints{} + query);
    const Shorts even = (Shorts)(weights & 0x00ff00ff) * (numbers << 8 >> 8);
    const Shorts odd = (Shorts)(weights >> 8 & 0x00ff00ff) * (numbers >> 8);
    const SignedInts pairs = (SignedInts)(even + odd);
    return sums + (Ints)((pairs << 16 >> 16) + (pairs >> 16));
}
#endif

// S: sums kept of each product; more than one hides the latency where there are few products.
template <int Q, int P, int S>
void tile(Index n_queries, Index groups, const std::int8_t* queries, const std::int32_t* starts,
          const std::uint8_t* panels, std::int32_t* out, Index ld) {
    Ints sums[Q][P * parts][S] = {};
    for (int q = 0; q < Q; ++q)
        for (int p = 0; p < P * parts; ++p) sums[q][p][0] += static_cast<std::uint32_t>(starts[q]);
    const auto add = [&](Index g, int s) {
        Ints weights[P * parts];
        for (int p = 0; p < P * parts; ++p)
            weights[p] = load<Ints>(panels + (p / parts * groups + g) * panel_bytes + p % parts * simd_bytes);
        for (int q = 0; q < Q; ++q) {
            const std::uint32_t query = load<std::uint32_t>(queries + (g * n_queries + q) * group);
            for (int p = 0; p < P * parts; ++p) sums[q][p][s] = add_products(sums[q][p][s], weights[p], query);
        }
    };
    Index g = 0;
    for (; g + S <= groups; g += S)
        for (int s = 0; s < S; ++s) add(g + s, s);
    for (; g < groups; ++g) add(g, 0);
    for (int q = 0; q < Q; ++q)
        for (int p = 0; p < P * parts; ++p) {
            Ints sum = sums[q][p][0];
            for (int s = 1; s < S; ++s) sum += sums[q][p][s];
            __builtin_memcpy(out + q * ld + p * simd_bytes / 4, &sum, sizeof sum);
        }
}

template <int P>
void tiles(Index n_queries, Index groups, const std::int8_t* queries, const std::int32_t* starts,
           const std::uint8_t* panels, std::int32_t* out, Index ld) {
    Index q = 0;
    for (; q + tile_queries <= n_queries; q += tile_queries)
        tile<tile_queries, P, 1>(n_queries, groups, queries + q * group, starts + q, panels, out + q * ld, ld);
    for (; q + few_queries <= n_queries; q += few_queries)
        tile<few_queries, P, 1>(n_queries, groups, queries + q * group, starts + q, panels, out + q * ld, ld);
    for (; q < n_queries; ++q)
        for (int p = 0; p < P; ++p)
            tile<1, 1, 4>(n_queries, groups, queries + q * group, starts + q, panels + p * groups * panel_bytes,
                          out + q * ld + p * panel_labels, ld);
}

// The lanes of v that are at least the threshold, as bits.
#if defined(__AVX512F__)
unsigned lanes_at_least(const Floats& v, float threshold) {
    return _mm512_cmp_ps_mask((__m512)v, _mm512_set1_ps(threshold), _CMP_GE_OQ);
}
#else
unsigned lanes_at_least(const Floats& v, float threshold) {
    constexpr Products bit = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    const Products bits = v >= threshold ? bit : Products{};
    std::int32_t each[panel_labels], all = 0;
    __builtin_memcpy(each, &bits, sizeof bits);
    for (const std::int32_t lane : each) all |= lane;
    return static_cast<unsigned>(all);
}
#endif

// Positive numbers have the order of their bits, with infinity and then NaN as the largest. A maximum of floats would
// not be vectorised.
float largest_magnitude(Index n, const float* x) {
    std::uint32_t largest = 0;
    for (Index i = 0; i < n; ++i) {
        const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x[i]) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return __builtin_bit_cast(float, largest);
}

}  // namespace

Quantised quantise(Index n, const float* __restrict x, float limit, std::int8_t* __restrict q) {
    const float largest = largest_magnitude(n, x);
    constexpr float least = 1e-30f;  // the inverse of smaller numbers may overflow
    const bool is_zero = !(largest > least && largest < __builtin_inff());
    const float scale = is_zero ? 0 : largest / limit, inverse = is_zero ? 0 : limit / largest;
    float squares = 0;
    for (Index i = 0; i < n; ++i) {
        const float scaled = is_zero ? 0 : x[i] * inverse;
        const std::int32_t whole = static_cast<std::int32_t>(scaled + (scaled < 0 ? -0.5f : 0.5f));
        const float error = x[i] - scale * static_cast<float>(whole);
        q[i] = static_cast<std::int8_t>(whole);
        squares += error * error;
    }
    return {scale, __builtin_sqrtf(squares)};
}

void products_int8(Index n_queries, Index n_panels, Index groups, const std::int8_t* queries,
                   const std::int32_t* starts, const std::uint8_t* panels, std::int32_t* out, Index ld) {
    Index p = 0;
    for (; p + tile_panels <= n_panels; p += tile_panels)
        tiles<tile_panels>(n_queries, groups, queries, starts, panels + p * groups * panel_bytes,
                           out + p * panel_labels, ld);
    for (; p < n_panels; ++p)
        tiles<1>(n_queries, groups, queries, starts, panels + p * groups * panel_bytes, out + p * panel_labels, ld);
}

Index at_least(Index n_panels, const std::int32_t* products, const PanelBounds* panels, const QueryBounds& query,
               float threshold, Id* places, float* upper) {
    Index n = 0;
    for (Index p = 0; p < n_panels; ++p) {
        const PanelBounds& panel = panels[p];
        const Products& whole = *reinterpret_cast<const Products*>(products + p * panel_labels);
        Floats bound = __builtin_convertvector(whole, Floats) * query.scale * floats(panel.scale);
        bound += floats(panel.raised) + query.norm * floats(panel.error);
        bound += query.error * floats(panel.norm);
        for (unsigned found = lanes_at_least(bound, threshold); found; found &= found - 1) {
            const int i = __builtin_ctz(found);
            places[n] = static_cast<Id>(p * panel_labels + i);
            upper[n++] = bound[i];
        }
    }
    return n;
}

}  // namespace hashslide::HASHSLIDE_ISA
