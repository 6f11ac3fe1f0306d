// A sparse matrix whose memory is Python's: it may be written to while it is read, by a callback or another thread. So
// each offset and each id is checked where it is read, once.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/bad_input.h"
#include "base/prefetch.h"
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
          n_stored_(n_rows),
          n_entries_(n_entries),
          n_columns_(n_columns) {}

    // Some of the rows, in this order; `rows` outlives it. O(rows).
    CsrInput of(std::span<const Index> rows) const;

    Index n_rows() const { return n_rows_; }
    Index n_entries() const { return n_chosen_; }  // of all rows

    // Calls f(id, entry) for the entries of a row.
    template <class F>
    void each(Index row, F&& f) const {
        const auto [first, last] = bounds(row);
        for (Index entry = first; entry < last; ++entry) f(id(entry), entry);
    }
    // Calls f(id) for the entries of a row in the columns first <= id < last. O(log(entries of the row) + calls).
    template <class F>
    void each_between(Index row, Id first, Id last, F&& f) const {
        auto [entry, end] = bounds(row);
        for (Index n = end - entry; n > 0;) {
            const Index half = n / 2;
            const bool is_before = id(entry + half) < first;
            entry += is_before ? half + 1 : 0;
            n = is_before ? n - half - 1 : half;
        }
        for (; entry < end; ++entry) {
            const Id found = id(entry);
            if (found >= last) return;
            if (found < first) refuse_change();
            f(found);
        }
    }
    // Ask for where a row begins, and then for its first ids.
    void prefetch_offset(Index row) const { hashslide::prefetch(indptr_ + stored(row)); }
    void prefetch(Index row) const {
        constexpr Index line = 16, lines = 3;  // what follows is foreseen by the hardware
        const auto [first, last] = bounds(row);
        for (Index entry = first; entry < std::min(last, first + lines * line); entry += line) {
            hashslide::prefetch(indices_ + entry);
            if (data_) hashslide::prefetch(data_ + entry);
        }
    }
    CsrInput row(Index row) const { return rows(row, 1); }
    // Some rows that follow each other.
    CsrInput rows(Index first, Index n) const {
        CsrInput part = *this;
        (rows_ ? part.rows_ : part.indptr_) += first;
        part.n_rows_ = n;
        if (!rows_) part.n_stored_ = n;
        return part;
    }
    float value(Index entry) const { return data_[entry]; }

    // The matrix is not what it was a moment ago.
    [[noreturn]] static void refuse_change();

private:
    struct Bounds {
        Index first, last;
    };
    // Relaxed atomic loads, which are plain ones: what has been checked is not read again.
    Bounds bounds(Index row) const {
        row = stored(row);
        const Bounds b{__atomic_load_n(indptr_ + row, __ATOMIC_RELAXED),
                       __atomic_load_n(indptr_ + row + 1, __ATOMIC_RELAXED)};
        if (b.first < 0 || b.first > b.last || b.last > n_entries_) refuse("offset", b.last, n_entries_);
        return b;
    }
    Index stored(Index row) const {
        if (row < 0 || row >= n_rows_) refuse("row", row, n_rows_);
        if (!rows_) return row;
        const Index at = __atomic_load_n(rows_ + row, __ATOMIC_RELAXED);
        if (at < 0 || at >= n_stored_) refuse("row", at, n_stored_);
        return at;
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
    const Index* rows_ = nullptr;  // of those that are stored; null: all
    Index n_rows_, n_stored_, n_entries_, n_columns_;
    Index n_chosen_ = n_entries_;  // entries of the chosen rows
};

// Copies of some rows, which nobody else writes to.
class CsrRows {
public:
    // The rows first .. first + n - 1 of a matrix with values, times `scale`.
    void assign(const CsrInput& from, Index first, Index n, float scale);
    // Those of a pattern; null: of one without entries.
    void assign_pattern(const CsrInput* from, Index first, Index n);
    CsrView view() const { return {indptr_.data(), ids_.data(), values_.data(), std::ssize(indptr_) - 1}; }

private:
    std::vector<Index> indptr_;
    std::vector<Id> ids_;
    std::vector<float> values_;
};

}  // namespace hashslide
