#include "inference/candidates.h"

#include <algorithm>

#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr double dense_share = 0.25;  // of the features, in an average example

bool is_dense(const CsrInput& x, Index n_features) {
    return static_cast<double>(x.n_entries()) >
           dense_share * static_cast<double>(n_features) * static_cast<double>(x.n_rows());
}

// The memory of a feature that a query reads is at random places: it is asked for before it is needed.
void prefetch(const LabelLists& lists, const DirectTerm& direct, std::span<const Id> ids) {
    for (const Id id : ids) {
        if (id < lists.n()) __builtin_prefetch(&lists.begin[id]);
        __builtin_prefetch(&direct.begin[id]);
    }
    for (const Id id : ids) {
        if (id < lists.n()) {
            __builtin_prefetch(lists.labels.data() + lists.begin[id]);
            __builtin_prefetch(lists.counts.data() + lists.begin[id]);
        }
        __builtin_prefetch(direct.labels.data() + direct.begin[id]);
        __builtin_prefetch(direct.weight.data() + direct.begin[id]);
    }
}

// The direct term of the candidates, without a branch: other labels have the slot 0.
void direct_scores(const DirectTerm& direct, std::span<const Id> ids, std::span<const float> values,
                   CandidateWork& work) {
    work.scores.assign(work.candidates.size() + 1, 0.0f);
    if (!direct.enabled()) return;
    const Id *labels = direct.labels.data(), *slots = work.slots.data();
    const float* weight = direct.weight.data();
    float* scores = work.scores.data();
    for (std::size_t j = 0; j < ids.size(); ++j)
        for (Index entry = direct.begin[ids[j]]; entry < direct.begin[ids[j] + 1]; ++entry)
            scores[slots[labels[entry]]] += values[j] * weight[entry];
}

}  // namespace

Candidates Candidates::extended(const Model& model, const CsrInput& x, float scale, const CsrInput& y, Index n_features,
                                std::uint64_t seed, int n_threads) const {
    Candidates out;
    out.settings = settings;
    out.cells = empty() ? QueryCells::learn_centres(model.hidden, x, scale, model.n_labels(), seed, n_threads)
                              .extended(model, x, scale, y, n_threads)
                        : cells.extended(model, x, scale, y, n_threads);
    if (empty() ? !is_dense(x, n_features) : features.lists.n() > 0)
        out.features = features.extended(x, y, n_features, model.n_labels(), n_threads);
    return out;
}

std::span<const Hit> Candidates::topk(const Model& model, const CsrView& x, Index row, std::span<const Id> excluded,
                                      Index k, const CandidateSettings& read) const {
    thread_local CandidateWork work;
    work.prepare(model.n_labels(), model.width());
    const std::span<const Id> ids = x.ids(row);
    prefetch(features.lists, model.direct, ids);
    model.hidden.predict(x, row, 1, work.hidden.data(), 1);
    work.forbid(excluded);
    features.add_candidates(ids, x.values(row), read.feature_labels, work);
    cells.add_candidates(read.cell_labels, read.probes, k, work);
    work.allow(excluded);

    const std::vector<Id>& labels = work.candidates;
    const Index n = static_cast<Index>(labels.size());
    direct_scores(model.direct, ids, x.values(row), work);
    work.products.resize(n);
    kernels().products(1, n, model.width(), work.hidden.data(), model.output.weight.data(), labels.data(),
                       work.products.data(), n);
    work.reset_slots();

    work.hits.clear();
    for (Index i = 0; i < n; ++i)
        work.hits.push_back(ranked(work.products[i] + model.output.bias[labels[i]] + work.scores[i + 1], labels[i]));
    const Index found = std::min(k, n);
    std::partial_sort(work.hits.begin(), work.hits.begin() + found, work.hits.end());
    return {work.hits.data(), static_cast<std::size_t>(found)};
}

}  // namespace hashslide
