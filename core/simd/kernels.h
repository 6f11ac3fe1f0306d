// The inner loops of one step, as a table of functions: one table for each instruction set, chosen at the first use.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "base/types.h"
#include "simd/bf16.h"
#include "simd/bf16_unit.h"
#include "simd/panels.h"

namespace hashslide {

// Hash families work on so many vectors at once, transposed: one SIMD lane is one vector, whatever its neighbours.
constexpr Index lanes = 32;
constexpr Index code_lanes = 8;  // packed codes lie word by word for so many neurons

struct Kernels {
    const char* isa;
    void (*axpy)(Index n, float a, const float* x, float* y);  // y += a x
    float (*dot)(Index n, const float* x, const float* y);     // sum of x y
    // out[q * ld + r] = queries[q] . rows[ids[r]] of `width` floats each, fetched ahead; ids null: rows 0, 1, ... Each
    // has the bits of `dot`, whatever it is computed together with.
    void (*products)(Index n_queries, Index n_rows, Index width, const float* queries, const float* rows, const Id* ids,
                     float* out, Index ld);
    // y += the sum of a[i] times row ids[i] of rows (., width), in this order; rows with a[i] = 0 are not read.
    void (*weighted_sum)(Index n, const Id* ids, const float* a, Index width, const float* rows, float* y);
    // The same of rows of bfloat16.
    void (*axpy_bf16)(Index n, float a, const Bf16* x, float* y);
    float (*dot_bf16)(Index n, const float* x, const Bf16* y);
    void (*products_bf16)(Index n_queries, Index n_rows, Index width, const float* queries, const Bf16* rows,
                          const Id* ids, float* out, Index ld);
    void (*weighted_sum_bf16)(Index n, const Id* ids, const float* a, Index width, const Bf16* rows, float* y);
    void (*widen)(Index n, const Bf16* x, float* out);
    // To the nearest, of two equally near to the even one; NaN stays NaN.
    void (*narrow)(Index n, const float* x, Bf16* out);
    // To one of the two neighbours, at random, so that the mean is x: 16 random bits are added below the last place.
    // Coordinate i takes the bits i % 4 of word i / 4 of the stream that begins at `key` (SplitMix64).
    void (*narrow_randomly)(Index n, const float* x, std::uint64_t key, Bf16* out);
    // The same of some coordinates: out[ids[i]] = x[i].
    void (*narrow_entries_randomly)(Index n, const Id* ids, const float* x, std::uint64_t key, Bf16* out);
    const Bf16Unit* (*bf16_unit)();  // null: this instruction set multiplies no bfloat16 numbers
    // Two sums over the same entries of x: of a x[ids] and of b |x[ids]|.
    void (*sparse_dots)(Index n, const Id* ids, const Bf16* a, const Bf16* b, const float* x, float* sum_a,
                        float* sum_b);
    // x = scale q + error with |q| <= limit; the length of the error. Vectors that are not finite have the scale 0.
    Quantised (*quantise)(Index n, const float* x, float limit, std::int8_t* q);
    // out[q * ld + i] = starts[q] + the sum of queries times bytes of the label i of the panels (simd/panels.h), in
    // integers; queries (groups, n_queries, group).
    void (*products_int8)(Index n_queries, Index n_panels, Index groups, const std::int8_t* queries,
                          const std::int32_t* starts, const std::uint8_t* panels, std::int32_t* out, Index ld);
    // The places, ascending, and upper bounds of those labels of the panels whose bound is not below the threshold, for
    // one query with the given products of its integers with theirs; returns their number.
    Index (*at_least)(Index n_panels, const std::int32_t* products, const PanelBounds* panels, const QueryBounds& query,
                      float threshold, Id* places, float* upper);
    float (*sum_of_squares)(Index n, const float* x);  // sum of x^2
    float (*squared_distance)(Index n, const float* x, const float* y);
    float (*maximum)(Index n, const float* x);  // of n >= 1 values
    void (*scale)(Index n, float a, float* x);  // x *= a
    void (*tanh)(Index n, float* x);            // x = tanh(x)
    // z becomes sigmoid(z); returns the sum of log(1 + exp(z)), the loss if every label were false.
    double (*sigmoid_loss)(Index n, float* z);
    // z becomes exp(z - shift); returns the sum.
    double (*exp_sum)(Index n, float shift, float* z);
    // One row of Adam: m and v are the moments; rate and the corrections of their bias are given.
    struct AdamStep {
        float rate, beta1, beta2, correction1, correction2, epsilon;
    };
    void (*adam)(Index n, const AdamStep& step, const float* g, float* m, float* v, float* w);

    // x (n, width), n <= lanes, becomes out (width, lanes), padded with zeros; zeros become `zero`.
    void (*transpose)(Index n, Index width, const float* x, float zero, float* out);
    // out (n, lanes) = directions' x, of directions (width, n) and x (width, lanes).
    void (*project)(Index n, Index width, const float* directions, const float* x, float* out);
    // The same for directions of `size` coordinates each (n, size) with the factors 1, the first plus[r] of direction
    // r, and -1.
    void (*project_signs)(Index n, Index size, const Id* coordinates, const Id* plus, const float* x, float* out);
    // x (n, lanes) = H D x: D = diag(signs), H the Walsh-Hadamard matrix of n rows, a power of two; not normalised.
    void (*hadamard)(Index n, const float* signs, float* x);
    // Of each bin of `size` coordinates of x (width, lanes), the place (bins, lanes) of the largest: the first of them
    // if there are several, `none` if all are -infinity. Returns the smallest place.
    Id (*winners)(Index bins, Index size, const Id* coordinates, const float* x, Id none, Id* places);
    // The same, with the second largest's places and the distances to them; infinity if there is none.
    Id (*winners_and_seconds)(Index bins, Index size, const Id* coordinates, const float* x, Id none, Id* places,
                              Id* seconds, float* gaps);
    // sums (tables, lanes) = offsets + the sum of multipliers (tables, hashes) times values (tables, hashes, lanes).
    void (*combine)(Index tables, Index hashes, const std::uint64_t* multipliers, const std::uint64_t* offsets,
                    const Id* values, std::uint64_t* sums);

    // Bit r of row i of words (size, (n + 63) / 64) says whether x (n, lanes) is above 0 in row r and lane i < size.
    void (*pack_signs)(Index n, Index size, const float* x, std::uint64_t* words);
    // In how many bits the code of each neuron differs from each query (n_queries, words). codes: (blocks, words,
    // code_lanes), of which one lane is one neuron; out: (n_queries, blocks * code_lanes).
    void (*unequal_bits)(Index blocks, Index words, const std::uint64_t* codes, Index n_queries,
                         const std::uint64_t* queries, std::uint16_t* out);
    // Writes the places of those of n values that are at most `most`, ascending, counted from `first`; their number.
    // ids has room for n rounded up to a multiple of 32.
    Index (*at_most)(Index n, const std::uint16_t* values, std::uint16_t most, Id first, Id* ids);
};

// HASHSLIDE_ISA names an instruction set that this build or this CPU lacks.
struct CpuError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The table in use. The environment variable HASHSLIDE_ISA names one; otherwise it is the best that the CPU has.
const Kernels& kernels();

std::vector<std::string> built_isas();
std::vector<std::string> supported_isas();  // those of built_isas() that this CPU runs

}  // namespace hashslide
