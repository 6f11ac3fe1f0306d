// Numbers that travel as bfloat16: half the bytes.
#pragma once

#include "base/types.h"
#include "simd/bf16.h"

namespace hashslide {

// out = values rounded to the nearest. residual (n,), or null: what earlier roundings in the same places have left; it
// is added first and becomes what this one leaves, so that the sums over many calls are right (error feedback, Seide et
// al. 2014).
void to_wire(Index n, const float* values, float* residual, Bf16* out);

}  // namespace hashslide
