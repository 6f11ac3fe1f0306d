// Sums whose order does not depend on how many ranks take part: a binary tree over the shards. A rank adds up the
// subtree of its own shards, and the ranks' sums are added up by the same rule; where both numbers are powers of two,
// that is one tree.
#pragma once

#include <bit>
#include <cstdint>

#include "base/types.h"
#include "simd/kernels.h"

namespace hashslide {

// The first half of n items, which is the larger one.
inline Index first_half(Index n) { return (n + 1) / 2; }

// out (size,) = the sum of what the items first .. last - 1 write. write(item, out) sets all of out and returns true, or
// returns false for an item that adds nothing; so does this function. memory: depth_of(last - first) * size floats.
template <class Write>
bool tree_sum(Index first, Index last, Index size, float* out, float* memory, Write&& write) {
    if (last - first == 1) return write(first, out);
    const Index middle = first + first_half(last - first);
    const bool is_left = tree_sum(first, middle, size, out, memory, write);
    if (!is_left) return tree_sum(middle, last, size, out, memory, write);
    if (tree_sum(middle, last, size, memory, memory + size, write)) kernels().axpy(size, 1.0f, memory, out);
    return true;
}

inline Index depth_of(Index n_items) { return std::bit_width(static_cast<std::uint64_t>(n_items)); }

}  // namespace hashslide
