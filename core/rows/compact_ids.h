// The distinct ids of a batch, numbered in the order of their first appearance. Unlike IdMap it takes memory for these
// alone and not for all ids that there are: a machine that holds a part of the rows has no number of each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace hashslide {

// Open addressing with linear probing; at most half of the slots are taken.
class CompactIds {
public:
    void clear() {
        ids_.clear();
        std::fill(slots_.begin(), slots_.end(), empty);
    }

    // Number of id, which is added if it is new. O(1) on average.
    Id insert(Id id) {
        if (2 * ids_.size() >= slots_.size()) grow();
        Id& slot = slots_[find(id)];
        if (slot == empty) {
            slot = static_cast<Id>(ids_.size());
            ids_.push_back(id);
        }
        return slot;
    }

    Index size() const { return std::ssize(ids_); }
    const std::vector<Id>& ids() const { return ids_; }

private:
    static constexpr Id empty = -1;

    std::size_t find(Id id) const {
        std::size_t at = (static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15ULL >> 32) & (slots_.size() - 1);
        while (slots_[at] != empty && ids_[slots_[at]] != id) at = (at + 1) & (slots_.size() - 1);
        return at;
    }
    void grow() {
        slots_.assign(std::max<std::size_t>(1024, 2 * slots_.size()), empty);
        for (std::size_t i = 0; i < ids_.size(); ++i) slots_[find(ids_[i])] = static_cast<Id>(i);
    }

    std::vector<Id> ids_, slots_;  // a slot holds the number of an id; their number is a power of two
};

}  // namespace hashslide
