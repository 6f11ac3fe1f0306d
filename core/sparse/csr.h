// Read-only view of a compressed sparse row matrix that another part of the core owns.
#pragma once

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

}  // namespace hashslide
