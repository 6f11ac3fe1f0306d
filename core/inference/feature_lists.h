// Candidates from the features: of the labels that occur with each feature, the ones with the largest conditional
// probability P(l | f) = count(f, l) / (count(f) + 1).
#pragma once

#include "inference/candidate_work.h"
#include "inference/label_lists.h"

namespace hashslide {

class FeatureLists {
public:
    static constexpr Index longest = 64;  // list of a feature

    struct Extension {
        NewLabelLists lists;
        std::vector<Index> examples;  // further ones with each of the features
    };
    // What further examples change. O(pairs of a feature and a label in x and y + lists of these features).
    Extension extension(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels, int n_threads) const;
    void extend(Extension&& by, Index n_features);

    // Adds the `best` labels of largest sum over features f of x_f P(l | f). O(entries of the lists of the features).
    void add_candidates(std::span<const Id> ids, std::span<const float> values, Index best, CandidateWork& work) const;

    LabelLists lists;
    Array<Index> examples;  // (features,): with each feature

private:
    Index add_up(std::span<const Id> ids, std::span<const float> values, CandidateWork& work) const;
};

}  // namespace hashslide
