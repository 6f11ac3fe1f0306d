#include "sparse/csr_input.h"

#include <string>

namespace hashslide {
namespace {

const std::string changed =
    ". It was in order before, so something has written into its arrays since: leave them alone until the call that "
    "was given them returns.";

}  // namespace

void CsrInput::refuse(const char* what, Index found, Index end) {
    throw BadInput("a sparse matrix names the " + std::string(what) + " " + std::to_string(found) + ", but there are " +
                   std::to_string(end) + changed);
}

void CsrInput::refuse_change() { throw BadInput("a sparse matrix is no longer sorted" + changed); }

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

void CsrRows::assign_pattern(const CsrInput* from, Index first, Index n) {
    indptr_.assign(1, 0);
    ids_.clear();
    values_.clear();
    for (Index row = first; row < first + n; ++row) {
        if (from) from->each(row, [&](Id id, Index) { ids_.push_back(id); });
        indptr_.push_back(std::ssize(ids_));
    }
}

CsrInput CsrInput::of(std::span<const Index> rows) const {
    CsrInput chosen = *this;
    chosen.rows_ = rows.data();
    chosen.n_rows_ = std::ssize(rows);
    chosen.n_chosen_ = 0;
    for (Index row = 0; row < chosen.n_rows_; ++row) {
        const auto [first, last] = chosen.bounds(row);
        chosen.n_chosen_ += last - first;
    }
    return chosen;
}

}  // namespace hashslide
