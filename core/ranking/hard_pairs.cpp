#include "ranking/hard_pairs.h"

#include "base/bad_input.h"
#include "base/interrupt.h"

namespace hashslide {

HardPairs::HardPairs(const CsrInput& y, std::span<const Id> candidates, Index k, Index n_labels)
    : begin_(n_labels + 1) {
    if (y.n_rows() >= most_rows) throw BadInput("A ranker learns from fewer than 2^31 rows. Pass a sample of them.");
    std::vector<Id> own;
    const auto each = [&](Index row, auto&& f) { each_pair(y, row, candidates.subspan(row * k, k), own, f); };
    for (Index row = 0; row < y.n_rows(); ++row) {
        poll();
        each(row, [&](Id label, bool) { ++begin_[label + 1]; });
    }
    for (Index label = 0; label < n_labels; ++label) begin_[label + 1] += begin_[label];
    pairs_.resize(begin_[n_labels]);
    std::vector<Index> next(begin_.begin(), begin_.end() - 1);
    for (Index row = 0; row < y.n_rows(); ++row) {
        poll();
        each(row, [&](Id label, bool is_true) {
            if (next[label] == begin_[label + 1]) CsrInput::refuse_change();
            pairs_[next[label]++] = {static_cast<std::uint32_t>(row << 1) | static_cast<std::uint32_t>(is_true)};
        });
    }
}

}  // namespace hashslide
