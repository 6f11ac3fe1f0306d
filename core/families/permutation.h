// Random permutations of the coordinates, as far as they are needed.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace hashslide {

class Permutation {
public:
    explicit Permutation(Index n) : order_(n) { std::iota(order_.begin(), order_.end(), 0); }

    // The first `count` items of a fresh permutation, by Fisher-Yates from wherever the last one left off. Uses the
    // counters first .. first + count - 1.
    const Id* shuffle(Index count, const CounterRng& rng, std::uint64_t first) {
        const Index n = static_cast<Index>(order_.size());
        for (Index i = 0; i < count; ++i) std::swap(order_[i], order_[i + rng.below(first + i, n - i)]);
        return order_.data();
    }

private:
    std::vector<Id> order_;
};

}  // namespace hashslide
