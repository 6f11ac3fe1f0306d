// A sparse matrix whose memory is Python's: it may be written to while it is read, by a callback or another thread. So
// each offset and each id is checked where it is read, once.
#pragma once

#include <span>
#include <vector>

#include "base/bad_input.h"
#include "sparse/csr.h"

namespace hashslide {

class CsrInput {
public:
    // data: null for a pattern. n_entries: of indices and data.
    CsrInput(const Index* indptr, const Id* indices, const float* data, Index n_rows, Index n_entries, Index n_columns)
        : indptr_(indptr),
          indices_(indices),
          data_(data),
          n_rows_(n_rows),
          n_entries_(n_entries),
          n_columns_(n_columns) {}

    Index n_rows() const { return n_rows_; }
    Index n_entries() const { return n_entries_; }

    // Calls f(id, entry) for the entries of a row.
    template <class F>
    void each(Index row, F&& f) const {
        const auto [first, last] = bounds(row);
        for (Index entry = first; entry < last; ++entry) f(id(entry), entry);
    }
    CsrInput row(Index row) const { return {indptr_ + row, indices_, data_, 1, n_entries_, n_columns_}; }
    float value(Index entry) const { return data_[entry]; }

private:
    struct Bounds {
        Index first, last;
    };
    // Relaxed atomic loads, which are plain ones: what has been checked is not read again.
    Bounds bounds(Index row) const {
        if (row < 0 || row >= n_rows_) refuse("row", row, n_rows_);
        const Bounds b{__atomic_load_n(indptr_ + row, __ATOMIC_RELAXED),
                       __atomic_load_n(indptr_ + row + 1, __ATOMIC_RELAXED)};
        if (b.first < 0 || b.first > b.last || b.last > n_entries_) refuse("offset", b.last, n_entries_);
        return b;
    }
    Id id(Index entry) const {
        const Id id = __atomic_load_n(indices_ + entry, __ATOMIC_RELAXED);
        if (id < 0 || id >= n_columns_) refuse("column", id, n_columns_);
        return id;
    }
    [[noreturn]] static void refuse(const char* what, Index found, Index end);

    const Index* indptr_;
    const Id* indices_;
    const float* data_;
    Index n_rows_, n_entries_, n_columns_;
};

// Copies of some rows, which nobody else writes to.
class CsrRows {
public:
    // The rows first .. first + n - 1 of a matrix with values, times `scale`.
    void assign(const CsrInput& from, Index first, Index n, float scale);
    CsrView view() const { return {indptr_.data(), ids_.data(), values_.data(), std::ssize(indptr_) - 1}; }

private:
    std::vector<Index> indptr_;
    std::vector<Id> ids_;
    std::vector<float> values_;
};

// Transposes the pattern: the rows in which each column occurs, ascending.
std::vector<std::vector<Index>> rows_by_column(const CsrInput& x, Index n_columns);

}  // namespace hashslide
