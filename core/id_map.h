// Which of 0 .. n-1 are in the current batch, and where. Clearing costs nothing: an entry counts only if it carries the
// current stamp. Holds the labels of the active set and the touched features.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "types.h"

namespace hashslide {

class IdMap {
public:
    explicit IdMap(Index n = 0) : stamp_(static_cast<std::size_t>(n), 0), position_(static_cast<std::size_t>(n), 0) {}

    void grow(Index n) {
        stamp_.resize(static_cast<std::size_t>(n), 0);
        position_.resize(static_cast<std::size_t>(n), 0);
    }

    void clear() {
        ids_.clear();
        if (++now_ == 0) {  // after 2^32 batches old stamps would look current
            std::fill(stamp_.begin(), stamp_.end(), 0);
            now_ = 1;
        }
    }

    bool contains(Id id) const { return stamp_[id] == now_; }

    // Position of id, which is added at the end if it is new.
    Id insert(Id id) {
        if (!contains(id)) {
            stamp_[id] = now_;
            position_[id] = static_cast<Id>(ids_.size());
            ids_.push_back(id);
        }
        return position_[id];
    }

    Id position(Id id) const { return position_[id]; }  // of an id that is contained
    Index size() const { return static_cast<Index>(ids_.size()); }
    const std::vector<Id>& ids() const { return ids_; }

private:
    std::vector<std::uint32_t> stamp_;
    std::vector<Id> position_;
    std::vector<Id> ids_;
    std::uint32_t now_ = 1;
};

}  // namespace hashslide
