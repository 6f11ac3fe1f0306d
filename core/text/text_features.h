// Documents as sparse rows of weighted terms.
#pragma once

#include <vector>

#include "text/vocabulary.h"

namespace hashslide {

struct TextWeighting {
    const float* column_weights = nullptr;  // of each column's terms
    bool sublinear = true;                  // 1 + log(count) for a count
    bool unit_length = true;                // rows of Euclidean length 1
};

struct SparseRows {
    std::vector<Index> indptr;
    std::vector<Id> indices;
    std::vector<float> values;
};

// Row d has f(count of term t in d) * weight of t * weight of its column for each feature, ids ascending. Terms without
// a feature are left out. The same bits for any number of threads.
SparseRows text_features(const TermSettings& settings, const Documents& documents, const Vocabulary& vocabulary,
                         const TextWeighting& weighting, int n_threads);

}  // namespace hashslide
