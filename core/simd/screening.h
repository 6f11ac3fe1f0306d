// The inner loops of the screen (inference/screen.h), once for each instruction set (HASHSLIDE_ISA); kernels.h says
// what they do.
#pragma once

#include "simd/panels.h"

namespace hashslide::HASHSLIDE_ISA {

Quantised quantise(Index n, const float* x, float limit, std::int8_t* q);
void products_int8(Index n_queries, Index n_panels, Index groups, const std::int8_t* queries,
                   const std::int32_t* starts, const std::uint8_t* panels, std::int32_t* out, Index ld);
Index at_least(Index n_panels, const std::int32_t* products, const PanelBounds* panels, const QueryBounds& query,
               float threshold, Id* places, float* upper);

}  // namespace hashslide::HASHSLIDE_ISA
