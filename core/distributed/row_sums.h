// What an owner does with the gradients that the machines push: sums by row, in the order of the machines.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace hashslide {

// Gradients (ids, width) of rows, each id once.
struct PushedRows {
    std::span<const Id> ids;
    const float* gradient;
};

struct RowSums {
    std::vector<Id> ids;        // in the order of their first appearance
    std::vector<float> sums;    // (ids, width)
};

// O(rows * width). The order of the parts alone decides the bits.
RowSums sum_rows(std::span<const PushedRows> parts, Index width);

}  // namespace hashslide
