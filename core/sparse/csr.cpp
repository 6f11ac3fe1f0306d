#include "sparse/csr.h"

#include "base/interrupt.h"

namespace hashslide {

std::vector<std::vector<Index>> rows_by_column(const CsrView& x, Index n_columns) {
    std::vector<Index> counts(n_columns, 0);
    for (Index row = 0; row < x.n_rows; ++row) {
        poll();
        for (const Id id : x.ids(row)) ++counts[id];
    }
    std::vector<std::vector<Index>> rows(n_columns);
    for (Index c = 0; c < n_columns; ++c) rows[c].reserve(counts[c]);
    for (Index row = 0; row < x.n_rows; ++row) {
        poll();
        for (const Id id : x.ids(row)) rows[id].push_back(row);
    }
    return rows;
}

}  // namespace hashslide
