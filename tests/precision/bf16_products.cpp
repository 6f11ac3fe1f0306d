// Every function of a Bf16Unit against plain loops, on whole numbers of few bits, whose products and sums are exact.
// Fails with a message, and is silent otherwise.
#define HASHSLIDE_ISA tested
#include "simd/bf16_unit.cpp"

#include "simd/bf16_neon.cpp"

#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace hashslide;

namespace {

Bf16 narrowed(float x) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return static_cast<Bf16>(bits >> 16);
}

std::vector<float> numbers(Index n, unsigned seed) {
    std::vector<float> x(n);
    for (float& v : x) v = static_cast<float>(static_cast<int>((seed = seed * 1664525u + 1013904223u) >> 28) - 8);
    return x;
}

std::vector<Bf16> narrowed(const std::vector<float>& x) {
    std::vector<Bf16> out;
    for (const float v : x) out.push_back(narrowed(v));
    return out;
}

void expect(bool holds, const char* what, Index m, Index n, Index depth) {
    if (holds) return;
    std::printf("%s is wrong at m = %ld, n = %ld, depth = %ld\n", what, m, n, depth);
    std::exit(1);
}

// c = a b + 1 with b packed from its rows, and from the rows of its transpose.
void check(const Bf16Unit& unit, Index m, Index n, Index k) {
    const Index depth = padded_depth(k), lda = depth + 32, ldc = n + 3, width = (n + 15) / 16 * 16;
    const std::vector<float> a = numbers(m * k, 1), b = numbers(k * n, 2);
    const std::vector<Bf16> a16 = narrowed(a), b16 = narrowed(b);
    std::vector<Bf16> left(m * lda, 0), transposed;
    for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < k; ++j) left[i * lda + j] = a16[i * k + j];
    for (Index j = 0; j < n; ++j)
        for (Index i = 0; i < k; ++i) transposed.push_back(b16[i * n + j]);
    std::vector<const Bf16*> rows, columns;
    for (Index i = 0; i < k; ++i) rows.push_back(b16.data() + i * n);
    for (Index j = 0; j < n; ++j) columns.push_back(transposed.data() + j * k);
    std::vector<Bf16> packed(depth * width, 0x7fc0), other(depth * width, 0x7fc0);
    unit.pack(k, n, rows.data(), packed.data());
    unit.pack_transposed(n, k, columns.data(), other.data());
    expect(packed == other, "pack", m, n, k);
    std::vector<float> c(m * ldc, 1.0f);
    unit.multiply(m, n, depth, left.data(), lda, packed.data(), c.data(), ldc);
    for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < ldc; ++j) {
            float sum = 1.0f;
            for (Index l = 0; l < k && j < n; ++l) sum += a[i * k + l] * b[l * n + j];
            expect(c[i * ldc + j] == sum, j < n ? "multiply" : "what is beside the product", m, n, k);
        }
    std::vector<Bf16> columns_of_a(k * padded_depth(m), 0x7fc0);
    unit.narrow_transposed(m, k, a.data(), k, columns_of_a.data(), padded_depth(m));
    for (Index j = 0; j < k; ++j)
        for (Index i = 0; i < padded_depth(m); ++i)
            expect(columns_of_a[j * padded_depth(m) + i] == (i < m ? a16[i * k + j] : 0), "narrow_transposed", m, n, k);
}

}  // namespace

int main() {
    const Bf16Unit* unit = tested::bf16_unit();
    if (!unit) return 2;
    for (const Index m : {1, 3, 8, 15, 16, 17, 31, 32, 33, 48, 64, 100})
        for (const Index n : {1, 2, 15, 16, 17, 32, 33, 47, 48, 49, 64, 128})
            for (const Index k : {1, 2, 31, 32, 33, 64, 70, 130}) check(*unit, m, n, k);
}
