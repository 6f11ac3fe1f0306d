// Which of 0 .. n-1 are in the current batch, and where. Clearing costs nothing: an entry counts only if it carries the
// current stamp. Holds the labels of the active set and the touched features.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/prefetch.h"
#include "base/types.h"

namespace hashslide {

class IdMap {
public:
    explicit IdMap(Index n = 0) : entries_(static_cast<std::size_t>(n)) {}

    void grow(Index n) { entries_.resize(static_cast<std::size_t>(n)); }
    Index capacity() const { return static_cast<Index>(entries_.size()); }

    void clear() {
        ids_.clear();
        if (++now_ == 0) {  // after 2^32 batches old stamps would look current
            std::fill(entries_.begin(), entries_.end(), Entry{});
            now_ = 1;
        }
    }

    bool contains(Id id) const { return entries_[id].stamp == now_; }

    void prefetch(Id id) const { hashslide::prefetch(entries_.data() + id, 1); }
    // Position of id, which is added at the end if it is new.
    Id insert(Id id) {
        if (!contains(id)) {
            entries_[id] = {now_, static_cast<Id>(ids_.size())};
            ids_.push_back(id);
        }
        return entries_[id].position;
    }

    Id position(Id id) const { return entries_[id].position; }  // of an id that is contained
    Index size() const { return static_cast<Index>(ids_.size()); }
    const std::vector<Id>& ids() const { return ids_; }

private:
    struct Entry {  // side by side: a look-up touches one cache line
        std::uint32_t stamp = 0;
        Id position = 0;
    };
    std::vector<Entry> entries_;
    std::vector<Id> ids_;
    std::uint32_t now_ = 1;
};

}  // namespace hashslide
