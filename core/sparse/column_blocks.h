// The pattern of a matrix by columns, of some columns at a time: a whole transposed copy would take as much memory as
// the matrix.
#pragma once

#include <span>
#include <vector>

#include "sparse/csr_input.h"

namespace hashslide {

class ColumnBlocks {
public:
    // x: outlives this.
    ColumnBlocks(const CsrInput& x, Index n_columns);

    // Makes the next block: columns first() .. last() - 1; false after the last one. A block has at most `most_entries`
    // entries, or a 32nd of all where that is more. O(rows * log(entries of a row) + entries of the block).
    bool next();
    // Columns of the block that occur in some row, ascending.
    const std::vector<Index>& present() const { return present_; }
    // Rows in which a column of the block occurs, ascending.
    std::span<const Index> rows(Index column) const {
        return {rows_.data() + begin_[column - first_], rows_.data() + begin_[column - first_ + 1]};
    }

    static constexpr Index most_entries = Index{1} << 22;

private:
    CsrInput x_;
    std::vector<Index> counts_;
    Index first_ = 0, last_ = 0;
    std::vector<Index> begin_, rows_, present_;
};

// A copy of a pattern that has few of the columns, with these numbered anew in their order. O(entries * log(entries)).
class NumberedColumns {
public:
    explicit NumberedColumns(const CsrInput& x);
    NumberedColumns(const NumberedColumns&) = delete;

    Index n() const { return std::ssize(columns_); }
    const std::vector<Id>& columns() const { return columns_; }  // the old numbers, ascending
    CsrInput matrix() const {
        return {indptr_.data(), ids_.data(), nullptr, std::ssize(indptr_) - 1, std::ssize(ids_), n()};
    }

private:
    std::vector<Id> columns_, ids_;
    std::vector<Index> indptr_{0};
};

}  // namespace hashslide
