#include "inference/feature_lists.h"

#include <algorithm>

#include "sparse/column_blocks.h"

namespace hashslide {

FeatureLists::Extension FeatureLists::extension(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels,
                                                int n_threads) const {
    Extension out;
    LabelListsExtension extension(lists, y, n_labels, longest, nullptr, n_threads);
    std::vector<Index> features;
    const auto extend = [&](ColumnBlocks&& columns, const auto& feature_of) {
        while (columns.next()) {
            features.clear();
            for (Index i = 0; i < std::ssize(columns.present()); ++i) {
                features.push_back(feature_of(columns.present()[i]));
                out.examples.push_back(std::ssize(columns.rows(columns.present()[i])));
            }
            extension.append(features, [&](Index i) { return columns.rows(columns.present()[i]); });
        }
    };
    if (x.n_entries() < n_features) {
        const NumberedColumns own(x);
        extend(ColumnBlocks(own.matrix(), own.n()), [&](Index column) { return own.columns()[column]; });
    } else {
        extend(ColumnBlocks(x, n_features), [](Index column) { return column; });
    }
    out.lists = std::move(extension).result();
    return out;
}

void FeatureLists::extend(Extension&& by, Index n_features) {
    examples.resize(n_features);
    for (std::size_t i = 0; i < by.examples.size(); ++i) examples[by.lists.groups[i]] += by.examples[i];
    lists.replace(n_features, std::move(by.lists));
}

void FeatureLists::add_candidates(std::span<const Id> ids, std::span<const float> values, Index best,
                                  CandidateWork& work) const {
    if (best == 0) return;
    const Index n_touched = add_up(ids, values, work);
    work.hits.clear();
    work.hits.reserve(n_touched);
    for (Index i = 0; i < n_touched; ++i) {
        float& sum = work.sums[work.touched[i]];
        if (sum != 0.0f && !work.is_forbidden(work.touched[i])) work.hits.push_back(ranked(sum, work.touched[i]));
        sum = 0.0f;
    }
    const std::size_t kept = std::min(work.hits.size(), static_cast<std::size_t>(best));
    std::nth_element(work.hits.begin(), work.hits.begin() + static_cast<std::ptrdiff_t>(kept), work.hits.end());
    for (std::size_t i = 0; i < kept; ++i) work.add_candidate(work.hits[i].label);
}

// Adds the lists to work.sums and notes their labels, without a branch: a label whose sum is 0 is noted as new. Returns
// how many are noted; a label whose sum comes back to 0 on its way is noted again.
Index FeatureLists::add_up(std::span<const Id> ids, std::span<const float> values, CandidateWork& work) const {
    Index n_entries = 1;
    for (std::size_t j = 0; j < ids.size() && ids[j] < lists.n(); ++j)
        n_entries += lists.last(ids[j]) - lists.first(ids[j]);
    if (static_cast<Index>(work.touched.size()) < n_entries) work.touched.resize(n_entries);
    float* sums = work.sums.data();
    Id* touched = work.touched.data();
    const Id* labels = lists.labels.data();
    const float* counts = lists.counts.data();
    Index n_touched = 0;
    for (std::size_t j = 0; j < ids.size() && ids[j] < lists.n(); ++j) {
        const float share = values[j] / static_cast<float>(examples[ids[j]] + 1);
        for (Index i = lists.first(ids[j]), last = lists.last(ids[j]); i < last; ++i) {
            touched[n_touched] = labels[i];
            n_touched += sums[labels[i]] == 0.0f;
            sums[labels[i]] += share * counts[i];
        }
    }
    return n_touched;
}

}  // namespace hashslide
