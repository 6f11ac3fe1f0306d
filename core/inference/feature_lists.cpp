#include "inference/feature_lists.h"

#include <algorithm>

#include "sparse/column_blocks.h"

namespace hashslide {

FeatureLists FeatureLists::extended(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels,
                                    int n_threads) const {
    ColumnBlocks columns(x, n_features);
    FeatureLists out;
    out.examples = Array<Index>(n_features);
    for (Index f = 0; f < n_features; ++f)
        out.examples[f] = (f < examples.size() ? examples[f] : 0) + columns.counts()[f];
    LabelListsExtension extension(lists, y, n_labels, longest, nullptr, n_threads);
    while (columns.next()) extension.append(columns.last(), [&](Index feature) { return columns.rows(feature); });
    out.lists = std::move(extension).result();
    return out;
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
        n_entries += lists.begin[ids[j] + 1] - lists.begin[ids[j]];
    if (static_cast<Index>(work.touched.size()) < n_entries) work.touched.resize(n_entries);
    float* sums = work.sums.data();
    Id* touched = work.touched.data();
    const Id* labels = lists.labels.data();
    const float* counts = lists.counts.data();
    Index n_touched = 0;
    for (std::size_t j = 0; j < ids.size() && ids[j] < lists.n(); ++j) {
        const float share = values[j] / static_cast<float>(examples[ids[j]] + 1);
        for (Index i = lists.begin[ids[j]]; i < lists.begin[ids[j] + 1]; ++i) {
            touched[n_touched] = labels[i];
            n_touched += sums[labels[i]] == 0.0f;
            sums[labels[i]] += share * counts[i];
        }
    }
    return n_touched;
}

}  // namespace hashslide
