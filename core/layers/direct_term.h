// A sparse linear term beside the network: z_l += sum over features f of x_f S[f, l]. A narrow hidden layer cannot hold
// which rare word goes with which rare label; one weight for each pair that occurs together can (the wide part of Wide
// & Deep, Cheng et al. 2016, without its crossed features).
#pragma once

#include <vector>

#include "base/memory.h"
#include "sampling/active_set.h"
#include "sparse/batch_features.h"

namespace hashslide {

struct DirectTermConfig {
    Index labels_per_feature = 0;      // longest list of a feature; 0: no direct term
    Index min_count = 3;               // a pair counts only if it occurs in so many examples
    float rate = 10.0f;                // learning rate as a multiple of the network's
    float initial_accumulator = 0.5f;  // of Adagrad, entry by entry: large values hold back rare pairs
};

class DirectTerm {
public:
    DirectTerm(const DirectTermConfig& config, Index n_features);

    bool enabled() const { return labels.size() > 0; }

    // Chooses the pairs of S from the training data: for each feature the labels with the largest count * log(1 + lift)
    // where lift = count * n / (count of the feature * count of the label). O(pairs of a feature and a label in x and
    // y) time; memory of the pairs chosen.
    void choose_pairs(const CsrInput& x, const CsrInput& y, const std::vector<Index>& label_counts, int n_threads);

    // Memory of one worker for one batch: the entries of the touched features whose label is active; those of the
    // feature at position t are present[list_begin[t]] .. + present_size[t].
    struct Work {
        struct Present {
            Index entry;
            Id position;
        };
        std::vector<Index> list_begin, present_size;
        std::vector<Present> present;
    };

    // Adds the term to the logits of the active set. logits: (examples, active).
    void forward(const BatchFeatures& batch, const ActiveSet& active, Work& work, float* logits, int n_threads) const;

    // gradient: dLoss/dlogits of the same batch. The list of a feature is updated by one thread.
    void backward_and_update(const BatchFeatures& batch, const ActiveSet& active, const Work& work,
                             const float* gradient, float rate, int n_threads);

    // z[l - first] += the term for the labels first <= l < last of one example.
    void add(std::span<const Id> ids, std::span<const float> values, Id first, Id last, float* z) const;

    void grow(Index n_features);

    Array<Index> begin;        // (n_features + 1,): the list of feature f is begin[f] .. begin[f + 1]
    Array<Id> labels;          // of each entry; ascending within a list
    Array<float> weight;       // of each entry
    Array<float> accumulator;  // Adagrad's, of each entry

private:
    std::vector<Id> labels_of(std::span<const Index> examples, const CsrInput& y,
                              const std::vector<Index>& label_counts) const;

    DirectTermConfig config_;
    Index n_features_;
};

}  // namespace hashslide
