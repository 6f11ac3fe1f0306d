// Read-only view of rows of weights, as they are stored: float32 or bfloat16. All arithmetic is float32.
#pragma once

#include <algorithm>

#include "base/memory.h"
#include "base/prefetch.h"
#include "simd/bf16.h"
#include "simd/kernels.h"

namespace hashslide {

struct WeightView {
    const float* single = nullptr;  // (n, width), or
    const Bf16* half = nullptr;     // (n, width)
    Index width = 0;

    WeightView from(Index first) const {
        return {single ? single + first * width : nullptr, half ? half + first * width : nullptr, width};
    }
    // As floats: in place, or widened into the buffer (width,).
    const float* row(Index i, float* buffer) const {
        if (single) return single + i * width;
        kernels().widen(width, half + i * width, buffer);
        return buffer;
    }
    // out: (width,)
    void copy(Index i, float* out) const {
        single ? void(std::copy_n(single + i * width, width, out)) : kernels().widen(width, half + i * width, out);
    }
    // n rows from `first` on: (n, width). buffer: likewise.
    const float* rows(Index first, Index n, float* buffer) const {
        if (single) return single + first * width;
        kernels().widen(n * width, half + first * width, buffer);
        return buffer;
    }
    float at(Index i, Index coordinate) const {
        const Index place = i * width + coordinate;
        return single ? single[place] : widened(half[place]);
    }
    void prefetch(Index i) const {
        single ? hashslide::prefetch(single + i * width, width) : hashslide::prefetch(half + i * width, width);
    }
    float dot(Index i, const float* x) const {
        return single ? kernels().dot(width, x, single + i * width) : kernels().dot_bf16(width, x, half + i * width);
    }
    // y += a row
    void add(Index i, float a, float* y) const {
        single ? kernels().axpy(width, a, single + i * width, y) : kernels().axpy_bf16(width, a, half + i * width, y);
    }
    // y += the sum of a[i] times row ids[i]
    void add_all(Index n, const Id* ids, const float* a, float* y) const {
        single ? kernels().weighted_sum(n, ids, a, width, single, y)
               : kernels().weighted_sum_bf16(n, ids, a, width, half, y);
    }
    // out[q * ld + r] = queries[q] . row ids[r]; ids null: rows 0, 1, ... Each has the bits of `dot`.
    void products(Index n_queries, const float* queries, const Id* ids, Index n_rows, float* out, Index ld) const {
        if (single)
            kernels().products(n_queries, n_rows, width, queries, single, ids, out, ld);
        else
            kernels().products_bf16(n_queries, n_rows, width, queries, half, ids, out, ld);
    }
};

}  // namespace hashslide
