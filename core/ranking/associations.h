// How often a feature and a label occur together: the cosine of their two sets of examples,
//     n(f, l) / sqrt(n(f) n(l))   (Ochiai 1957),
// which item-to-item recommenders use (Sarwar, Karypis, Konstan & Riedl, WWW 2001). It needs no negative examples, so
// that it also says something of labels that occur once.
#pragma once

#include <span>
#include <vector>

#include "ranking/hard_pairs.h"
#include "sparse/csr_input.h"
#include "sparse/label_weights.h"

namespace hashslide {

// n(f): the weights of the rows that have each feature. sample_weight: of each row; empty: all 1.
std::vector<double> feature_counts(const CsrInput& x, Index n_features, std::span<const float> sample_weight);

// Memory of one thread; sized to all features, and all 0 between labels.
class Associations {
public:
    explicit Associations(Index n_features) : counts_(n_features) {}

    // The `longest` largest ones of the label with these pairs. O(entries of its true pairs' rows).
    LabelWeights::OfLabel of(const CsrInput& x, std::span<const HardPairs::Pair> pairs,
                             std::span<const double> feature_counts, std::span<const float> sample_weight,
                             Index longest);

private:
    std::vector<double> counts_;  // n(f, l)
    std::vector<Id> met_;
};

}  // namespace hashslide
