// Inner products with a promised order of summation, once for each instruction set (HASHSLIDE_ISA); kernels.h says what
// they do. How a library orders its sums depends on where in a matrix an entry lies, so the score of a label would
// depend on the other rows of the request.
#pragma once

#include "base/types.h"

namespace hashslide::HASHSLIDE_ISA {

float dot(Index n, const float* x, const float* y);
void products(Index n_queries, Index n_rows, Index width, const float* queries, const float* rows, const Id* ids,
              float* out, Index ld);

}  // namespace hashslide::HASHSLIDE_ISA
