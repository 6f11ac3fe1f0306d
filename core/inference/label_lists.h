// For each group of examples the labels that occur most often in it: what both halves of the candidates are made of.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/memory.h"
#include "sparse/csr_input.h"

namespace hashslide {

struct LabelLists {
    using Members = std::vector<std::vector<Index>>;  // rows of y in each group
    // Orders labels of a group that occur equally often, the largest first; then the smaller label is first.
    using TieBreak = std::function<float(Index group, Id label)>;

    Index n() const { return begin.size() > 0 ? begin.size() - 1 : 0; }
    std::span<const Id> of(Index group) const {
        return {labels.data() + begin[group], static_cast<std::size_t>(begin[group + 1] - begin[group])};
    }

    // The lists with the labels of the members added to their counts, of which the `longest` most frequent ones of each
    // group are kept. Groups may be new. O(labels of all members + all lists).
    LabelLists extended(const Members& members, const CsrInput& y, Index n_labels, Index longest,
                        const TieBreak& tie_break, int n_threads) const;

    Array<Index> begin;   // (groups + 1,)
    Array<Id> labels;     // of each entry, the most frequent first
    Array<float> counts;  // of each entry
};

}  // namespace hashslide
