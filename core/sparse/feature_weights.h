// Weights of pairs of a feature and a label: for each feature the list of its labels.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/types.h"

namespace hashslide {

struct FeatureWeights {
    using OfLabel = std::vector<std::pair<Id, float>>;  // (feature, weight), features ascending

    explicit FeatureWeights(Index n_features = 0) : begin(n_features + 1) {}
    // The same weights by feature; those of a label are freed as soon as they are copied.
    FeatureWeights(std::vector<OfLabel>&& of_labels, Index n_features);

    bool empty() const { return labels.size() == 0; }

    // The entry of a pair, or -1. O(log of a list's length).
    Index find(Id feature, Id label) const;
    // sum over features f of value_f W[f, label].
    float sum(std::span<const Id> ids, std::span<const float> values, Id label) const;
    // Adds these sums for some labels, which ascend. O(features * labels * log of a list's length): the shorter of the
    // two lists is looked up in the longer one. Sums are added up in the order of the features.
    void add_sums(std::span<const Id> ids, std::span<const float> values, std::span<const Id> wanted,
                  float* sums) const;

    // Keeps the `longest` weights of each feature that are farthest from 0. O(entries).
    void shorten(Index longest);
    // New features have empty lists.
    void grow(Index n_features);

    Array<Index> begin;   // (features + 1,): the list of feature f is begin[f] .. begin[f + 1]
    Array<Id> labels;     // of each entry; ascending within a list
    Array<float> weight;  // W, of each entry
};

}  // namespace hashslide
