// Candidates from the features: of the labels that occur with each feature, the ones with the largest conditional
// probability P(l | f) = count(f, l) / (count(f) + 1).
#pragma once

#include "inference/candidate_work.h"
#include "inference/label_lists.h"

namespace hashslide {

class FeatureLists {
public:
    static constexpr Index longest = 64;  // list of a feature

    // The lists with further examples. O(pairs of a feature and a label in x and y).
    FeatureLists extended(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels, int n_threads) const;

    // Adds the `best` labels of largest sum over features f of x_f P(l | f). O(entries of the lists of the features).
    void add_candidates(std::span<const Id> ids, std::span<const float> values, Index best, CandidateWork& work) const;

    LabelLists lists;
    Array<Index> examples;  // (features,): with each feature

private:
    Index add_up(std::span<const Id> ids, std::span<const float> values, CandidateWork& work) const;
};

}  // namespace hashslide
