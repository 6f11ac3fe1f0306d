#include "sparse/column_blocks.h"

#include <algorithm>
#include <numeric>

#include "base/interrupt.h"

namespace hashslide {

ColumnBlocks::ColumnBlocks(const CsrInput& x, Index n_columns) : x_(x), counts_(n_columns, 0) {
    for (Index row = 0; row < x.n_rows(); ++row) {
        poll();
        x.each(row, [&](Id id, Index) { ++counts_[id]; });
    }
}

bool ColumnBlocks::next() {
    const Index n_columns = std::ssize(counts_);
    if (last_ == n_columns) return false;
    const Index most = std::max(most_entries, x_.n_entries() / 32);
    first_ = last_;
    begin_.assign(1, 0);
    while (last_ < n_columns && (last_ == first_ || begin_.back() + counts_[last_] <= most))
        begin_.push_back(begin_.back() + counts_[last_++]);
    rows_.resize(begin_.back());
    std::vector<Index> next(begin_.begin(), begin_.end() - 1);
    for (Index row = 0; row < x_.n_rows(); ++row) {
        poll();
        x_.each_between(row, static_cast<Id>(first_), static_cast<Id>(last_), [&](Id id) {
            const Index place = next[id - first_]++;
            if (place == begin_[id - first_ + 1]) CsrInput::refuse_change();  // more than were counted
            rows_[place] = row;
        });
    }
    present_.clear();
    for (Index c = first_; c < last_; ++c) {
        if (next[c - first_] != begin_[c - first_ + 1]) CsrInput::refuse_change();
        if (counts_[c] > 0) present_.push_back(c);
    }
    return true;
}

NumberedColumns::NumberedColumns(const CsrInput& x) {
    for (Index row = 0; row < x.n_rows(); ++row) {
        x.each(row, [&](Id id, Index) { ids_.push_back(id); });
        indptr_.push_back(std::ssize(ids_));
    }
    columns_ = ids_;
    std::ranges::sort(columns_);
    const auto rest = std::ranges::unique(columns_);
    columns_.erase(rest.begin(), rest.end());
    for (Id& id : ids_) id = static_cast<Id>(std::ranges::lower_bound(columns_, id) - columns_.begin());
}

}  // namespace hashslide
