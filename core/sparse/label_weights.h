// For pairs of a label and a feature, the margin's weight and the association: for each label the list of its features.
// Both are stored as bfloat16, whatever the precision of the layers: an entry has 8 bytes instead of 12.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/types.h"
#include "simd/bf16.h"
#include "sparse/csr.h"

namespace hashslide {

struct LabelWeights {
    using OfLabel = std::vector<std::pair<Id, float>>;  // (feature, weight), features ascending

    explicit LabelWeights(Index n_labels = 0) : begin(n_labels + 1) {}
    // Rounds to the nearest. Lists that are copied are freed. A pair may have one of the two alone.
    LabelWeights(std::vector<OfLabel>&& margins, std::vector<OfLabel>&& associations);

    Index n_labels() const { return begin.size() - 1; }
    bool empty() const { return features.size() == 0; }

    // The entry of a pair, or -1. O(log of the list's length).
    Index find(Id label, Id feature) const;
    // Of some labels, sum over features f of margin[label, f] x[f] and of association[label, f] |x[f]|. x: of all
    // features, 0 for all but `ids`, which ascend. A list is read from end to end, or the ids are searched for in it:
    // O(min(list's length, ids * its log)) for each.
    void sums(std::span<const Id> wanted, std::span<const Id> ids, const float* x, float* margins,
              float* associations) const;

    // New labels have empty lists.
    void grow(Index n_labels);
    // Gives the last labels, whose lists are empty, a margin for each of their features: scale[row] * value. Row i of x
    // belongs to label first + i. O(entries of x) on average.
    void append(Id first, const CsrView& x, std::span<const float> scale);
    // Forgets the margins or the associations, and the pairs that have no other. O(entries).
    void drop(Array<Bf16>& dropped);

    Array<Index> begin;       // (labels + 1,): the list of label l is begin[l] .. begin[l + 1]
    Array<Id> features;       // of each entry; ascending within a list
    Array<Bf16> margin;       // of each entry; 0: none
    Array<Bf16> association;  // of each entry; 0: none
};

}  // namespace hashslide
