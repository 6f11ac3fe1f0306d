// Inner products and weighted sums of rows with a promised order of summation, once for each instruction set
// (HASHSLIDE_ISA); kernels.h says what they do. How a library orders its sums depends on where in a matrix an entry
// lies, so the score of a label would depend on the other rows of the request.
#pragma once

#include "base/types.h"
#include "simd/bf16.h"

namespace hashslide::HASHSLIDE_ISA {

float dot(Index n, const float* x, const float* y);
void products(Index n_queries, Index n_rows, Index width, const float* queries, const float* rows, const Id* ids,
              float* out, Index ld);
float dot_bf16(Index n, const float* x, const Bf16* y);
void products_bf16(Index n_queries, Index n_rows, Index width, const float* queries, const Bf16* rows, const Id* ids,
                   float* out, Index ld);

void weighted_sum(Index n, const Id* ids, const float* a, Index width, const float* rows, float* y);
void weighted_sum_bf16(Index n, const Id* ids, const float* a, Index width, const Bf16* rows, float* y);

}  // namespace hashslide::HASHSLIDE_ISA
