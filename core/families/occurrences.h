// Where each coordinate occurs in a list of coordinates, so that a sparse vector meets only the entries of hash
// functions that concern it.
#pragma once

#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/types.h"

namespace hashslide {

class Occurrences {
public:
    // O(width + coordinates).
    void find(const std::vector<Id>& coordinates, Index width) {
        if (std::ssize(coordinates) > std::numeric_limits<Id>::max())
            throw std::length_error("hash functions of more than 2^31 coordinates; take fewer tables or hashes");
        begin_.assign(width + 1, 0);
        for (const Id c : coordinates) ++begin_[c + 1];
        for (Index c = 0; c < width; ++c) begin_[c + 1] += begin_[c];
        places_.resize(coordinates.size());
        std::vector<Id> next(begin_.begin(), begin_.end() - 1);
        for (std::size_t i = 0; i < coordinates.size(); ++i) places_[next[coordinates[i]]++] = static_cast<Id>(i);
    }

    // Indices into the list, ascending.
    std::span<const Id> of(Id coordinate) const {
        return {places_.data() + begin_[coordinate], places_.data() + begin_[coordinate + 1]};
    }

private:
    std::vector<Id> begin_, places_;
};

}  // namespace hashslide
