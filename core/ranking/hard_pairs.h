// What a ranker learns from: for each label the examples that carry it, and those for which the network takes it for
// one of the best without their carrying it. All other examples are told apart by the network already (adaptive
// sparsity: an example trains only the labels that score high for it).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sparse/csr_input.h"

namespace hashslide {

// Calls f(label, is_true) for the pairs of a row: its labels in y, ascending, and those of the candidates that are
// none. own: scratch.
template <class F>
void each_pair(const CsrInput& y, Index row, std::span<const Id> candidates, std::vector<Id>& own, F&& f) {
    own.clear();
    y.each(row, [&](Id label, Index) { own.push_back(label); });
    std::sort(own.begin(), own.end());
    for (const Id label : own) f(label, true);
    for (const Id label : candidates)
        if (!std::binary_search(own.begin(), own.end(), label)) f(label, false);
}

class HardPairs {
public:
    struct Pair {
        std::uint32_t bits;
        Index row() const { return bits >> 1; }
        bool is_true() const { return bits & 1; }
    };
    static constexpr Index most_rows = Index{1} << 31;

    // candidates: (rows of y, k), labels of each row, in any order and each once. O(labels + pairs) time, 4 bytes a
    // pair.
    HardPairs(const CsrInput& y, std::span<const Id> candidates, Index k, Index n_labels);

    Index n_labels() const { return std::ssize(begin_) - 1; }
    // By row, ascending.
    std::span<const Pair> of(Id label) const {
        return {pairs_.data() + begin_[label], static_cast<std::size_t>(begin_[label + 1] - begin_[label])};
    }

private:
    std::vector<Index> begin_;  // (labels + 1,)
    std::vector<Pair> pairs_;
};

}  // namespace hashslide
