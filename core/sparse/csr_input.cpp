#include "sparse/csr_input.h"

#include <string>

#include "base/interrupt.h"

namespace hashslide {

void CsrInput::refuse(const char* what, Index found, Index end) {
    throw BadInput("a sparse matrix names the " + std::string(what) + " " + std::to_string(found) + ", but there are " +
                   std::to_string(end) +
                   ". It was in order before, so something has written into its arrays since: leave them alone until "
                   "the call that was given them returns.");
}

void CsrRows::assign(const CsrInput& from, Index first, Index n, float scale) {
    indptr_.assign(1, 0);
    ids_.clear();
    values_.clear();
    for (Index row = first; row < first + n; ++row) {
        from.each(row, [&](Id id, Index entry) {
            ids_.push_back(id);
            values_.push_back(from.value(entry) * scale);
        });
        indptr_.push_back(std::ssize(ids_));
    }
}

std::vector<std::vector<Index>> rows_by_column(const CsrInput& x, Index n_columns) {
    std::vector<Index> counts(n_columns, 0);
    const auto for_all = [&](auto&& f) {
        for (Index row = 0; row < x.n_rows(); ++row) {
            poll();
            x.each(row, [&](Id id, Index) { f(row, id); });
        }
    };
    for_all([&](Index, Id id) { ++counts[id]; });
    std::vector<std::vector<Index>> rows(n_columns);
    for (Index c = 0; c < n_columns; ++c) rows[c].reserve(counts[c]);
    for_all([&](Index row, Id id) { rows[id].push_back(row); });
    return rows;
}

}  // namespace hashslide
