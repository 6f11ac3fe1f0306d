// The features of a batch, by example (forward) and by feature (backward and update).
#pragma once

#include <vector>

#include "base/id_map.h"
#include "base/rng.h"
#include "sparse/csr_input.h"

namespace hashslide {

class BatchFeatures {
public:
    explicit BatchFeatures(Index n_features = 0) : touched_(n_features) {}

    // Rows of x in the given order, with values times `scale`. Each feature of each example is 0 with probability
    // `dropout`; the others are scaled by 1 / (1 - dropout).
    void gather(const CsrInput& x, const Index* rows, Index n_rows, float scale, float dropout, const CounterRng& rng);

    // Features may be numbered up to this.
    void grow(Index n_features) {
        if (n_features > touched_.capacity()) touched_.grow(n_features);
    }

    // The same entry by entry, of features that lie somewhere else.
    void start();
    void add(Id id, float value) {
        ids_.push_back(id);
        values_.push_back(value);
    }
    void end_example() { indptr_.push_back(static_cast<Index>(ids_.size())); }

    Index n_examples() const { return static_cast<Index>(indptr_.size()) - 1; }
    std::span<const Id> ids(Index example) const { return part(ids_, indptr_, example); }
    std::span<const float> values(Index example) const { return part(values_, indptr_, example); }

    // Of what gather() has left: for what follows. O(entries).
    void group_by_feature();
    // The features that occur, in the order of their first appearance, and for each the examples with their values.
    const std::vector<Id>& touched() const { return touched_.ids(); }
    std::span<const Id> examples(Index position) const { return part(by_feature_examples_, by_feature_, position); }
    std::span<const float> example_values(Index position) const {
        return part(by_feature_values_, by_feature_, position);
    }

private:
    template <class T>
    static std::span<const T> part(const std::vector<T>& all, const std::vector<Index>& offsets, Index i) {
        return {all.data() + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
    }

    std::vector<Index> indptr_;
    std::vector<Id> ids_, positions_;  // and the place of each entry's feature among touched()
    std::vector<float> values_;

    IdMap touched_;
    std::vector<Index> by_feature_, next_;
    std::vector<Id> by_feature_examples_;
    std::vector<float> by_feature_values_;
};

}  // namespace hashslide
