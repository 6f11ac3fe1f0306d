// Plain loops that the compiler vectorises: this file is compiled once for each instruction set, with HASHSLIDE_ISA set
// to its name. Nothing here may call an inline function of a shared header: the linker would keep only one of its
// copies, perhaps one that this CPU cannot run.
#include "simd/kernels.h"

#include "simd/products.h"
#include "simd/screening.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace hashslide::HASHSLIDE_ISA {
const Bf16Unit* bf16_unit();
}

#define HASHSLIDE_JOIN2(a, b) a##b
#define HASHSLIDE_JOIN(a, b) HASHSLIDE_JOIN2(a, b)
#define HASHSLIDE_TEXT2(a) #a
#define HASHSLIDE_TEXT(a) HASHSLIDE_TEXT2(a)

namespace hashslide {
namespace {

void axpy(Index n, float a, const float* __restrict x, float* __restrict y) {
    for (Index i = 0; i < n; ++i) y[i] += a * x[i];
}

inline float widened_bits(Bf16 x) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(x) << 16); }

void axpy_bf16(Index n, float a, const Bf16* __restrict x, float* __restrict y) {
    for (Index i = 0; i < n; ++i) y[i] += a * widened_bits(x[i]);
}

void widen(Index n, const Bf16* __restrict x, float* __restrict out) {
    for (Index i = 0; i < n; ++i) out[i] = widened_bits(x[i]);
}

// The upper half of the bits of x and `added`; a NaN, which may lose its last bits, becomes the quiet one.
inline Bf16 narrowed(float x, std::uint32_t added) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x), magnitude = bits & 0x7fffffffu;
    return static_cast<Bf16>(magnitude > 0x7f800000u ? 0x7fc0u : (bits + added) >> 16);
}

void narrow(Index n, const float* __restrict x, Bf16* __restrict out) {
    for (Index i = 0; i < n; ++i)
        out[i] = narrowed(x[i], 0x7fffu + ((__builtin_bit_cast(std::uint32_t, x[i]) >> 16) & 1u));
}

// Word w of the stream of SplitMix64 that begins at `key`: rng.h, whose functions may not be called here.
inline std::uint64_t random_word(std::uint64_t key, std::uint64_t w) {
    std::uint64_t x = key + (w + 1) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

inline std::uint32_t random_half(std::uint64_t key, Index i) {
    const std::uint64_t word = random_word(key, static_cast<std::uint64_t>(i) / 4);
    return static_cast<std::uint32_t>(word >> (16 * (i % 4))) & 0xffffu;
}

void narrow_randomly(Index n, const float* __restrict x, std::uint64_t key, Bf16* __restrict out) {
    constexpr Index block = 64;
    std::uint64_t words[block / 4];
    for (Index first = 0; first < n; first += block) {
        for (Index w = 0; w < block / 4; ++w) words[w] = random_word(key, static_cast<std::uint64_t>(first / 4 + w));
        Bf16 halves[block];
        __builtin_memcpy(halves, words, sizeof halves);  // the least significant first
        const Index size = first + block < n ? block : n - first;
        for (Index i = 0; i < size; ++i) out[first + i] = narrowed(x[first + i], halves[i]);
    }
}

void narrow_entries_randomly(Index n, const Id* ids, const float* x, std::uint64_t key, Bf16* out) {
    for (Index i = 0; i < n; ++i) out[ids[i]] = narrowed(x[i], random_half(key, ids[i]));
}

void sparse_dots(Index n, const Id* __restrict ids, const Bf16* __restrict a, const Bf16* __restrict b,
                 const float* __restrict x, float* __restrict sum_a, float* __restrict sum_b) {
    float of_a = 0, of_b = 0;
    for (Index i = 0; i < n; ++i) {
        const float value = x[ids[i]];
        of_a += widened_bits(a[i]) * value;
        of_b += widened_bits(b[i]) * (value < 0 ? -value : value);
    }
    *sum_a = of_a;
    *sum_b = of_b;
}

float sum_of_squares(Index n, const float* x) {
    float s = 0;
    for (Index i = 0; i < n; ++i) s += x[i] * x[i];
    return s;
}

float squared_distance(Index n, const float* x, const float* y) {
    float s = 0;
    for (Index i = 0; i < n; ++i) s += (x[i] - y[i]) * (x[i] - y[i]);
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

// 2^t for t in [-126, 127], NaN for NaN: the integer part goes into the exponent, the fraction f in [-1/2, 1/2] through
// a polynomial (Taylor coefficients of 2^f; relative error below 2e-7). NaN has the integer part 0. It is told by two
// comparisons with 0, as t == t would keep the loops that call this from being vectorised.
inline float exp2_bounded(float t) {
    const float rounded = t < 0.0f ? t - 0.5f : t > 0.0f ? t + 0.5f : 0.0f;
    const std::int32_t whole = static_cast<std::int32_t>(rounded);
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

void transpose(Index n, Index width, const float* __restrict x, float zero, float* __restrict out) {
    for (Index j = 0; j < width; ++j) {
        for (Index i = 0; i < n; ++i) out[j * lanes + i] = x[i * width + j] == 0.0f ? zero : x[i * width + j];
        for (Index i = n; i < lanes; ++i) out[j * lanes + i] = zero;
    }
}

// Vectors of the lanes of one instruction. Arrays of a few of them, indexed by constants, stay in registers; arrays of
// floats do not.
#if defined(__AVX512F__)
constexpr int simd_bytes = 64;
#elif defined(__AVX2__)
constexpr int simd_bytes = 32;
#else
constexpr int simd_bytes = 16;
#endif
typedef float Floats __attribute__((vector_size(simd_bytes), aligned(4), may_alias));
typedef std::int32_t Ints __attribute__((vector_size(simd_bytes), aligned(4), may_alias));
constexpr int simd_floats = simd_bytes / 4;
constexpr int parts = lanes / simd_floats;  // of all lanes

inline Floats floats(const float* x, int part) { return *reinterpret_cast<const Floats*>(x + part * simd_floats); }
inline void store(Floats v, float* x, int part) { *reinterpret_cast<Floats*>(x + part * simd_floats) = v; }
inline void store(Ints v, Id* x, int part) { *reinterpret_cast<Ints*>(x + part * simd_floats) = v; }

template <int rows>
void project_rows(Index n, Index width, const float* directions, const float* x, float* out) {
    Floats sums[rows][parts] = {};
    for (Index j = 0; j < width; ++j)
        for (int r = 0; r < rows; ++r)
            for (int p = 0; p < parts; ++p) sums[r][p] += directions[j * n + r] * floats(x + j * lanes, p);
    for (int r = 0; r < rows; ++r)
        for (int p = 0; p < parts; ++p) store(sums[r][p], out + r * lanes, p);
}

void project(Index n, Index width, const float* directions, const float* x, float* out) {
    constexpr int rows = 4;
    Index r = 0;
    for (; r + rows <= n; r += rows) project_rows<rows>(n, width, directions + r, x, out + r * lanes);
    for (; r < n; ++r) project_rows<1>(n, width, directions + r, x, out + r * lanes);
}

void project_signs(Index n, Index size, const Id* coordinates, const Id* plus, const float* x, float* out) {
    for (Index r = 0; r < n; ++r, coordinates += size) {
        Floats sums[parts] = {};
        for (Index j = 0; j < plus[r]; ++j)
            for (int p = 0; p < parts; ++p) sums[p] += floats(x + coordinates[j] * lanes, p);
        for (Index j = plus[r]; j < size; ++j)
            for (int p = 0; p < parts; ++p) sums[p] -= floats(x + coordinates[j] * lanes, p);
        for (int p = 0; p < parts; ++p) store(sums[p], out + r * lanes, p);
    }
}

void hadamard(Index n, const float* __restrict signs, float* __restrict x) {
    for (Index j = 0; j < n; ++j)
        for (Index i = 0; i < lanes; ++i) x[j * lanes + i] *= signs[j];
    for (Index half = 1; half < n; half *= 2)
        for (Index begin = 0; begin < n; begin += 2 * half) {
            float* __restrict low = x + begin * lanes;
            float* __restrict high = low + half * lanes;
            for (Index i = 0; i < half * lanes; ++i) {
                const float a = low[i], b = high[i];
                low[i] = a + b;
                high[i] = a - b;
            }
        }
}

Id smallest_of(const Ints* v) {
    Id smallest = v[0][0];
    for (int p = 0; p < parts; ++p)
        for (int i = 0; i < simd_floats; ++i) smallest = v[p][i] < smallest ? v[p][i] : smallest;
    return smallest;
}

Id winners(Index bins, Index size, const Id* coordinates, const float* x, Id none, Id* places) {
    Ints lowest[parts] = {};
    for (Index b = 0; b < bins; ++b, coordinates += size) {
        Floats best[parts];
        Ints place[parts];
        for (int p = 0; p < parts; ++p) best[p] = Floats{} - __builtin_inff(), place[p] = Ints{} + none;
        for (Index j = 0; j < size; ++j)
            for (int p = 0; p < parts; ++p) {
                const Floats v = floats(x + coordinates[j] * lanes, p);
                place[p] = v > best[p] ? Ints{} + static_cast<Id>(j) : place[p];
                best[p] = v > best[p] ? v : best[p];
            }
        for (int p = 0; p < parts; ++p) {
            lowest[p] = place[p] < lowest[p] ? place[p] : lowest[p];
            store(place[p], places + b * lanes, p);
        }
    }
    return smallest_of(lowest);
}

Id winners_and_seconds(Index bins, Index size, const Id* coordinates, const float* x, Id none, Id* places, Id* seconds,
                       float* gaps) {
    const Floats infinity = Floats{} + __builtin_inff();
    Ints lowest[parts] = {};
    for (Index b = 0; b < bins; ++b, coordinates += size) {
        Floats best[parts], next[parts];
        Ints place[parts], second[parts];
        for (int p = 0; p < parts; ++p) best[p] = next[p] = -infinity, place[p] = second[p] = Ints{} + none;
        for (Index j = 0; j < size; ++j)
            for (int p = 0; p < parts; ++p) {
                const Floats v = floats(x + coordinates[j] * lanes, p);
                const Ints at = Ints{} + static_cast<Id>(j), first = v > best[p], other = v > next[p];
                second[p] = first ? place[p] : other ? at : second[p];
                next[p] = first ? best[p] : other ? v : next[p];
                place[p] = first ? at : place[p];
                best[p] = first ? v : best[p];
            }
        for (int p = 0; p < parts; ++p) {
            lowest[p] = place[p] < lowest[p] ? place[p] : lowest[p];
            store(place[p], places + b * lanes, p);
            store(second[p], seconds + b * lanes, p);
            store(next[p] == -infinity ? infinity : best[p] - next[p], gaps + b * lanes, p);
        }
    }
    return smallest_of(lowest);
}

void combine(Index tables, Index hashes, const std::uint64_t* __restrict multipliers,
             const std::uint64_t* __restrict offsets, const Id* __restrict values, std::uint64_t* __restrict sums) {
    for (Index t = 0; t < tables; ++t) {
        std::uint64_t sum[lanes];
        for (Index i = 0; i < lanes; ++i) sum[i] = offsets[t];
        for (Index k = t * hashes; k < (t + 1) * hashes; ++k)
            for (Index i = 0; i < lanes; ++i)
                sum[i] += multipliers[k] * static_cast<std::uint32_t>(values[k * lanes + i]);
        for (Index i = 0; i < lanes; ++i) sums[t * lanes + i] = sum[i];
    }
}

void pack_signs(Index n, Index size, const float* __restrict x, std::uint64_t* __restrict words) {
    const Index n_words = (n + 63) / 64;
    for (Index w = 0; w < n_words; ++w) {
        std::uint64_t packed[lanes] = {};
        for (Index r = w * 64; r < n && r < (w + 1) * 64; ++r)
            for (Index i = 0; i < lanes; ++i)
                packed[i] |= static_cast<std::uint64_t>(x[r * lanes + i] > 0.0f) << (r % 64);
        for (Index i = 0; i < size; ++i) words[i * n_words + w] = packed[i];
    }
}

#if defined(__AVX2__)
// Bits of each byte from a table of those of four bits (Mula, Kurz & Lemire 2018); a byte holds the sums of 31 words.
__m256i add_bits_of_bytes(__m256i sums, __m256i x) {
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    sums = _mm256_add_epi8(sums, _mm256_shuffle_epi8(bits, _mm256_and_si256(x, low)));
    return _mm256_add_epi8(sums, _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi64(x, 4), low)));
}

void unequal_bits_by_bytes(Index blocks, Index words, const std::uint64_t* codes, const std::uint64_t* query,
                           std::uint16_t* out) {
    for (Index half = 0; half < 2 * blocks; ++half, out += 4) {
        const std::uint64_t* first = codes + half / 2 * words * code_lanes + half % 2 * 4;
        __m256i sums = _mm256_setzero_si256();
        for (Index begin = 0; begin < words; begin += 31) {
            const Index end = begin + 31 < words ? begin + 31 : words;
            __m256i bytes = _mm256_setzero_si256();
            for (Index w = begin; w < end; ++w) {
                const __m256i code = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + w * code_lanes));
                const __m256i wanted = _mm256_set1_epi64x(static_cast<long long>(query[w]));
                bytes = add_bits_of_bytes(bytes, _mm256_xor_si256(code, wanted));
            }
            sums = _mm256_add_epi64(sums, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
        }
        std::uint64_t each[4];
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(each), sums);
        for (Index i = 0; i < 4; ++i) out[i] = static_cast<std::uint16_t>(each[i]);
    }
}
#else
void unequal_bits_by_bytes(Index blocks, Index words, const std::uint64_t* codes, const std::uint64_t* query,
                           std::uint16_t* out) {
    for (Index b = 0; b < blocks; ++b, codes += words * code_lanes) {
        std::uint64_t sums[code_lanes] = {};
        for (Index w = 0; w < words; ++w)
            for (Index i = 0; i < code_lanes; ++i)
                sums[i] += static_cast<std::uint64_t>(__builtin_popcountll(codes[w * code_lanes + i] ^ query[w]));
        for (Index i = 0; i < code_lanes; ++i) out[b * code_lanes + i] = static_cast<std::uint16_t>(sums[i]);
    }
}
#endif

#if defined(__AVX512F__)
// Eight words with each instruction, and each word of the codes is loaded once for `n` queries.
template <Index n>
__attribute__((target("avx512vpopcntdq"))) void unequal_bits_by_words(Index blocks, Index words,
                                                                      const std::uint64_t* codes,
                                                                      const std::uint64_t* queries,
                                                                      std::uint16_t* out) {
    for (Index b = 0; b < blocks; ++b, codes += words * code_lanes) {
        __m512i sums[n];
        for (Index q = 0; q < n; ++q) sums[q] = _mm512_setzero_si512();
        for (Index w = 0; w < words; ++w) {
            const __m512i code = _mm512_loadu_si512(codes + w * code_lanes);
            for (Index q = 0; q < n; ++q) {
                const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(queries[q * words + w]));
                sums[q] = _mm512_add_epi64(sums[q], _mm512_popcnt_epi64(_mm512_xor_si512(code, wanted)));
            }
        }
        for (Index q = 0; q < n; ++q)
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (q * blocks + b) * code_lanes),
                             _mm512_cvtepi64_epi16(sums[q]));
    }
}
#endif

void unequal_bits(Index blocks, Index words, const std::uint64_t* codes, Index n_queries, const std::uint64_t* queries,
                  std::uint16_t* out) {
    Index q = 0;
#if defined(__AVX512F__)
    // Not all CPUs of these instruction sets have it: Cascade Lake and Cooper Lake do not.
    static const bool counts_words = __builtin_cpu_supports("avx512vpopcntdq");
    if (counts_words) {
        for (; q + 4 <= n_queries; q += 4)
            unequal_bits_by_words<4>(blocks, words, codes, queries + q * words, out + q * blocks * code_lanes);
        for (; q < n_queries; ++q)
            unequal_bits_by_words<1>(blocks, words, codes, queries + q * words, out + q * blocks * code_lanes);
    }
#endif
    for (; q < n_queries; ++q)
        unequal_bits_by_bytes(blocks, words, codes, queries + q * words, out + q * blocks * code_lanes);
}

// Most groups of values have none among them; within the others there is no branch, which nothing could predict.
Index at_most(Index n, const std::uint16_t* __restrict values, std::uint16_t most, Id first, Id* __restrict ids) {
    Index found = 0, i = 0;
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    const __m256i limit = _mm256_set1_epi16(static_cast<short>(most));
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + 16 <= n; i += 16) {
        const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
        const __mmask16 is_found = _mm256_cmple_epu16_mask(here, limit);
        if (!is_found) continue;
        const __m512i places = _mm512_add_epi32(lane, _mm512_set1_epi32(first + static_cast<Id>(i)));
        // To a register first: some CPUs are slow to compress to memory.
        _mm512_storeu_si512(ids + found, _mm512_maskz_compress_epi32(is_found, places));
        found += __builtin_popcount(is_found);
    }
#else
    constexpr Index group = 32;
    for (; i + group <= n; i += group) {
        std::uint16_t least = values[i];
        for (Index j = 1; j < group; ++j) least = values[i + j] < least ? values[i + j] : least;
        if (least > most) continue;
        for (Index j = 0; j < group; ++j) {
            ids[found] = first + static_cast<Id>(i + j);
            found += values[i + j] <= most;
        }
    }
#endif
    for (; i < n; ++i) {
        ids[found] = first + static_cast<Id>(i);
        found += values[i] <= most;
    }
    return found;
}

}  // namespace

extern const Kernels HASHSLIDE_JOIN(kernels_, HASHSLIDE_ISA);
const Kernels HASHSLIDE_JOIN(kernels_, HASHSLIDE_ISA) = {HASHSLIDE_TEXT(HASHSLIDE_ISA),
                                                         axpy,
                                                         HASHSLIDE_ISA::dot,
                                                         HASHSLIDE_ISA::products,
                                                         HASHSLIDE_ISA::weighted_sum,
                                                         axpy_bf16,
                                                         HASHSLIDE_ISA::dot_bf16,
                                                         HASHSLIDE_ISA::products_bf16,
                                                         HASHSLIDE_ISA::weighted_sum_bf16,
                                                         widen,
                                                         narrow,
                                                         narrow_randomly,
                                                         narrow_entries_randomly,
                                                         HASHSLIDE_ISA::bf16_unit,
                                                         sparse_dots,
                                                         HASHSLIDE_ISA::quantise,
                                                         HASHSLIDE_ISA::products_int8,
                                                         HASHSLIDE_ISA::at_least,
                                                         sum_of_squares,
                                                         squared_distance,
                                                         maximum,
                                                         scale,
                                                         tanh_all,
                                                         sigmoid_loss,
                                                         exp_sum,
                                                         adam,
                                                         transpose,
                                                         project,
                                                         project_signs,
                                                         hadamard,
                                                         winners,
                                                         winners_and_seconds,
                                                         combine,
                                                         pack_signs,
                                                         unequal_bits,
                                                         at_most};

}  // namespace hashslide
