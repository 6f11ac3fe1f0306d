// For each group of examples the labels that occur most often in it: what both halves of the candidates are made of.
#pragma once

#include <functional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "sparse/csr_input.h"

namespace hashslide {

struct LabelLists {
    // Orders labels of a group that occur equally often, the largest first; then the smaller label is first.
    using TieBreak = std::function<float(Index group, Id label)>;

    Index n() const { return begin.size() > 0 ? begin.size() - 1 : 0; }
    std::span<const Id> of(Index group) const {
        return {labels.data() + begin[group], static_cast<std::size_t>(begin[group + 1] - begin[group])};
    }

    Array<Index> begin;   // (groups + 1,)
    Array<Id> labels;     // of each entry, the most frequent first
    Array<float> counts;  // of each entry
};

// Extends lists by the labels of further examples, which are added to their counts: of each group the `longest` most
// frequent labels are kept. Groups may be new. Group after group, so that only what is kept is ever held.
class LabelListsExtension {
public:
    // old, y: outlive this.
    LabelListsExtension(const LabelLists& old, const CsrInput& y, Index n_labels, Index longest,
                        LabelLists::TieBreak tie_break, int n_threads);

    // The next groups, up to `last` - 1. members(g): rows of y in group g. O(labels of all members + old lists).
    using Members = std::function<std::span<const Index>(Index group)>;
    void append(Index last, const Members& members);

    LabelLists result() && { return std::move(new_); }

private:
    struct Entry {
        float count, tie;
        Id label;
        bool operator<(const Entry& other) const {
            return std::tuple(-count, -tie, label) < std::tuple(-other.count, -other.tie, other.label);
        }
    };
    std::vector<Entry> list(Index group, std::span<const Index> rows) const;

    const LabelLists& old_;
    const CsrInput& y_;
    const Index n_labels_, longest_;
    const LabelLists::TieBreak tie_break_;
    const int n_threads_;
    LabelLists new_;
};

}  // namespace hashslide
