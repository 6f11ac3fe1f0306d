// Approximate top-k: two inverted lists that are learned from training data name some hundred candidates for an
// example, and only they are scored, exactly.
#pragma once

#include "inference/feature_lists.h"
#include "inference/query_cells.h"
#include "layers/direct_term.h"

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

    // Learns the centres of the cells if there are none, and adds the examples to the counts of the lists. There are no
    // feature lists for dense data, in which the presence of a feature says nothing.
    void absorb(const HiddenStack& stack, const OutputLayer& output, const CsrView& x, const CsrView& y,
                Index n_features, std::uint64_t seed, int n_threads);

    // The k best candidates of row `row` of x, best first; valid until this thread's next call. Fewer only if all lists
    // together name fewer.
    // Depends on the row alone. O(entries of its features' lists + (cells + candidates) * width).
    std::span<const Hit> topk(const HiddenStack& stack, const OutputLayer& output, const DirectTerm& direct,
                              const CsrView& x, Index row, Index k) const;

    FeatureLists features;
    QueryCells cells;
    CandidateSettings settings;
};

}  // namespace hashslide
