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

    const std::vector<Index>& counts() const { return counts_; }  // rows of each column

    // Makes the next block: columns first() .. last() - 1; false after the last one. A block has at most `most_entries`
    // entries, or a 32nd of all where that is more. O(rows * log(entries of a row) + entries of the block).
    bool next();
    Index first() const { return first_; }
    Index last() const { return last_; }
    // Rows in which a column of the block occurs, ascending.
    std::span<const Index> rows(Index column) const {
        return {rows_.data() + begin_[column - first_], rows_.data() + begin_[column - first_ + 1]};
    }

    static constexpr Index most_entries = Index{1} << 22;

private:
    CsrInput x_;
    std::vector<Index> counts_;
    Index first_ = 0, last_ = 0;
    std::vector<Index> begin_, rows_;
};

}  // namespace hashslide
