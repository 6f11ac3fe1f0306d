// Read-only view of a compressed sparse row matrix that another part of the core owns.
#pragma once

#include <algorithm>
#include <cassert>
#include <span>

#include "base/types.h"

namespace hashslide {

struct CsrView {
    const Index* indptr = nullptr;  // n_rows + 1 offsets
    const Id* indices = nullptr;    // sorted and unique within a row
    const float* data = nullptr;    // null for a pattern (labels)
    Index n_rows = 0;

    std::span<const Id> ids(Index row) const {
        assert(row >= 0 && row < n_rows);
        return {indices + indptr[row], static_cast<std::size_t>(indptr[row + 1] - indptr[row])};
    }
    std::span<const float> values(Index row) const {
        return {data + indptr[row], static_cast<std::size_t>(indptr[row + 1] - indptr[row])};
    }
};

// The ids first <= id < last of an ascending list.
inline std::span<const Id> between(std::span<const Id> ids, Index first, Index last) {
    const auto begin = std::ranges::lower_bound(ids, first), end = std::lower_bound(begin, ids.end(), last);
    return {begin, end};
}

}  // namespace hashslide
