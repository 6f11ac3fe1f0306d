// Approximate top-k: two inverted lists that are learned from training data name some hundred candidates for an
// example, and only they are scored, exactly.
#pragma once

#include "inference/feature_lists.h"
#include "inference/query_cells.h"
#include "layers/model.h"

namespace hashslide {

// How much of the lists a query reads; chosen after they are made.
struct CandidateSettings {
    Index feature_labels = 0;  // best labels of the feature lists
    Index cell_labels = 0;     // first labels of each cell
    Index probes = 1;          // cells
};

// What further examples change.
struct CandidatesExtension {
    FeatureLists::Extension features;
    NewLabelLists cells;
};

class Candidates {
public:
    bool empty() const { return cells.n() == 0; }

    // Lists of these examples. There are none of features for dense data, in which the presence of a feature says
    // nothing. scale: of the values of x.
    static Candidates learn(const Model& model, const CsrInput& x, float scale, const CsrInput& y, Index n_features,
                            std::uint64_t seed, int n_threads);
    // Adds further examples to the counts of the lists that there are, in two steps, of which the first takes the time.
    // The cells keep their centres.
    CandidatesExtension extension(const Model& model, const CsrInput& x, float scale, const CsrInput& y,
                                  Index n_features, int n_threads) const;
    void extend(CandidatesExtension&& by, Index n_features);

    // The k best candidates of row `row` of x, of as much of the lists as is to be read, best first; valid until this
    // thread's next call. Excluded labels count as if they were in no list. Fewer only if all lists together name
    // fewer. Depends on the row alone. O(entries of its features' lists + (cells + candidates) * width).
    std::span<const Hit> topk(const Model& model, const CsrView& x, Index row, std::span<const Id> excluded, Index k,
                              const CandidateSettings& read) const;

    FeatureLists features;
    QueryCells cells;
    CandidateSettings settings;
};

}  // namespace hashslide
