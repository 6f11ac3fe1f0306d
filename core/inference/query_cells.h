// Candidates from the hidden activations: examples that come to lie near each other share labels. The activations of
// the training examples are clustered by k-means, and each cell lists the labels of its examples.
#pragma once

#include "inference/candidate_work.h"
#include "inference/label_lists.h"
#include "layers/model.h"

namespace hashslide {

// scale: of the values of x, everywhere.
class QueryCells {
public:
    // About sqrt(n_labels) cells of at most 2 sqrt(n_labels) labels each, fewer cells where there are few examples.
    static QueryCells learn_centres(const HiddenStack& stack, const CsrInput& x, float scale, Index n_labels,
                                    std::uint64_t seed, int n_threads);

    // The lists with the labels of each example counted in its own cell; labels that occur equally often are ordered by
    // the logit of the centre. O(examples * cells * width), as products of matrices.
    NewLabelLists extension(const Model& model, const CsrInput& x, float scale, const CsrInput& y, int n_threads) const;
    void extend(NewLabelLists&& by) { lists.replace(n(), std::move(by)); }

    // Adds the first `labels` labels of the `probes` cells with the nearest centres, and while there are fewer than
    // `least` candidates the lists of one cell after the other. O(cells * width).
    void add_candidates(Index labels, Index probes, Index least, CandidateWork& work) const;

    Index n() const { return offsets.size(); }

    LabelLists lists;
    Array<float> centres;  // (cells, width)
    Array<float> offsets;  // (cells,): nearest is the largest h . c - offset

private:
    std::vector<Id> nearest(const HiddenStack& stack, const CsrInput& x, float scale, int n_threads) const;
};

}  // namespace hashslide
