#include "inference/candidates.h"

#include <algorithm>

#include "base/prefetch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr double dense_share = 0.25;  // of the features, in an average example

bool is_dense(const CsrInput& x, Index n_features) {
    return static_cast<double>(x.n_entries()) >
           dense_share * static_cast<double>(n_features) * static_cast<double>(x.n_rows());
}

// The memory of a feature that a query reads is at random places: it is asked for before it is needed.
void prefetch(const LabelLists& lists, std::span<const Id> ids) {
    for (const Id id : ids)
        if (id < lists.n()) hashslide::prefetch(&lists.ranges[2 * id]);
    for (const Id id : ids)
        if (id < lists.n()) {
            hashslide::prefetch(lists.labels.data() + lists.first(id));
            hashslide::prefetch(lists.counts.data() + lists.first(id));
        }
}

}  // namespace

Candidates Candidates::learn(const Model& model, const CsrInput& x, float scale, const CsrInput& y, Index n_features,
                             std::uint64_t seed, int n_threads) {
    Candidates out;
    out.cells = QueryCells::learn_centres(model.hidden, x, scale, model.n_labels(), seed, n_threads);
    if (!is_dense(x, n_features)) out.features.extend({}, n_features);
    out.extend(out.extension(model, x, scale, y, n_features, n_threads), n_features);
    return out;
}

CandidatesExtension Candidates::extension(const Model& model, const CsrInput& x, float scale, const CsrInput& y,
                                          Index n_features, int n_threads) const {
    CandidatesExtension by;
    by.cells = cells.extension(model, x, scale, y, n_threads);
    if (features.lists.n() > 0) by.features = features.extension(x, y, n_features, model.n_labels(), n_threads);
    return by;
}

void Candidates::extend(CandidatesExtension&& by, Index n_features) {
    cells.extend(std::move(by.cells));
    if (features.lists.n() > 0) features.extend(std::move(by.features), n_features);
}

std::span<const Hit> Candidates::topk(const Model& model, const CsrView& x, Index row, std::span<const Id> excluded,
                                      Index k, const CandidateSettings& read) const {
    thread_local CandidateWork work;
    work.prepare(model.n_labels(), model.width());
    const std::span<const Id> ids = x.ids(row);
    prefetch(features.lists, ids);
    model.hidden.predict(x, row, 1, work.hidden.data(), 1);
    work.forbid(excluded);
    features.add_candidates(ids, x.values(row), read.feature_labels, work);
    cells.add_candidates(read.cell_labels, read.probes, k, work);
    work.allow(excluded);

    const OutputLayer& output = model.output;
    work.products.resize(work.candidates.size());
    output.weight.view().products(1, work.hidden.data(), work.candidates.data(), std::ssize(work.candidates),
                                  work.products.data(), std::ssize(work.candidates));
    work.reset_marks();

    const std::vector<Id>& labels = work.candidates;
    work.hits.clear();
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const float z = work.products[i] + output.bias[labels[i]];
        work.hits.push_back(ranked(z + model.ranker.offset_of(labels[i]), labels[i]));
    }
    const Index best = std::min<Index>(model.ranker.needed(k), std::ssize(labels));
    std::partial_sort(work.hits.begin(), work.hits.begin() + best, work.hits.end());
    work.hits.resize(best);
    model.ranker.rank(ids, x.values(row), work.hits);
    return {work.hits.data(), static_cast<std::size_t>(std::min(k, best))};
}

}  // namespace hashslide
