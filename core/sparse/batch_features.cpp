#include "sparse/batch_features.h"

namespace hashslide {

void BatchFeatures::start() {
    indptr_.assign(1, 0);
    ids_.clear();
    values_.clear();
}

void BatchFeatures::gather(const CsrInput& x, const Index* rows, Index n_rows, float scale, float dropout,
                           const CounterRng& rng) {
    start();
    constexpr Index ahead = 4;  // rows lie far apart
    const float keep = 1.0f / (1.0f - dropout);
    for (Index b = 0; b < n_rows; ++b) {
        if (b + 2 * ahead < n_rows) x.prefetch_offset(rows[b + 2 * ahead]);
        if (b + ahead < n_rows) x.prefetch(rows[b + ahead]);
        std::uint64_t draw = static_cast<std::uint64_t>(b) << 32;
        x.each(rows[b], [&](Id id, Index entry) {
            const bool dropped = dropout > 0 && rng.uniform(draw++) < dropout;
            add(id, dropped ? 0.0f : x.value(entry) * scale * keep);
        });
        end_example();
    }
}

// Counting sort of the entries by feature; within a feature they keep the order of the batch.
void BatchFeatures::group_by_feature() {
    touched_.clear();
    by_feature_.assign(1, 0);
    positions_.clear();
    for (const Id id : ids_) {
        const Id position = touched_.insert(id);
        positions_.push_back(position);
        if (static_cast<std::size_t>(position) + 1 == by_feature_.size()) by_feature_.push_back(0);
        ++by_feature_[position + 1];
    }
    for (std::size_t i = 1; i < by_feature_.size(); ++i) by_feature_[i] += by_feature_[i - 1];
    by_feature_examples_.resize(ids_.size());
    by_feature_values_.resize(ids_.size());
    next_.assign(by_feature_.begin(), by_feature_.end() - 1);
    for (Index b = 0; b < n_examples(); ++b) {
        for (Index j = indptr_[b]; j < indptr_[b + 1]; ++j) {
            const Index entry = next_[positions_[j]]++;
            by_feature_examples_[entry] = static_cast<Id>(b);
            by_feature_values_[entry] = values_[j];
        }
    }
}

}  // namespace hashslide
