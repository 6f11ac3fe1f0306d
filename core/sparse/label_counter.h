// How often each label has been met, in time and memory of the labels that have been, but for one look-up of all
// labels.
#pragma once

#include <vector>

#include "base/id_map.h"

namespace hashslide {

class LabelCounter {
public:
    void clear(Index n_labels) {
        if (map_.capacity() < n_labels) map_.grow(n_labels);
        map_.clear();
        counts_.clear();
    }
    void add(Id label, double count) {
        const std::size_t position = static_cast<std::size_t>(map_.insert(label));
        if (position == counts_.size()) counts_.push_back(0.0);
        counts_[position] += count;
    }

    const std::vector<Id>& labels() const { return map_.ids(); }   // in the order of their first appearance
    const std::vector<double>& counts() const { return counts_; }  // of each of them

private:
    IdMap map_;
    std::vector<double> counts_;
};

}  // namespace hashslide
