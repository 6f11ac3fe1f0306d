// Optimisers' steps on some rows of another library's matrix: what has no gradient costs nothing.
#pragma once

#include <cstdint>
#include <span>

#include "base/types.h"
#include "simd/bf16.h"

namespace hashslide {

// Rows `ids` (distinct) of a matrix (., width), float32 or bfloat16, and their gradients (n, width). bfloat16 rows are
// rounded at random, by `key`, so that small steps count on average.
struct TouchedRows {
    std::span<const Index> ids;
    Index width = 0;
    const float* gradient = nullptr;
    float* single = nullptr;
    Bf16* half = nullptr;
    std::uint64_t key = 0;
};

// sums: one number a row. s += mean(g^2), w -= rate g / sqrt(s), after w *= keep.
void update_adagrad(const TouchedRows& rows, float* sums, float rate, float keep, int n_threads);

struct RowAdamSettings {
    float rate, beta1, beta2, epsilon, keep;
};

// first: (., width), or null where beta1 is 0; second and steps: one number a row. v is the mean of the row's squares,
// and the corrections of the bias count the steps in which the row was touched.
void update_adam(const TouchedRows& rows, const RowAdamSettings& settings, float* first, float* second,
                 std::int32_t* steps, int n_threads);

}  // namespace hashslide
