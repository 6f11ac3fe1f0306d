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

class Candidates {
public:
    bool empty() const { return cells.n() == 0; }

    // The lists with the examples added to their counts; the centres of the cells are learned if there are none. There
    // are no feature lists for dense data, in which the presence of a feature says nothing. scale: of the values of x.
    Candidates extended(const Model& model, const CsrInput& x, float scale, const CsrInput& y, Index n_features,
                        std::uint64_t seed, int n_threads) const;

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
