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

struct NewLabelLists;

// The list of a group lies anywhere among the entries, so that one can be replaced without moving the others.
struct LabelLists {
    // Orders labels of a group that occur equally often, the largest first; then the smaller label is first.
    using TieBreak = std::function<float(Index group, Id label)>;

    Index n() const { return ranges.size() / 2; }
    Index first(Index group) const { return ranges[2 * group]; }
    Index last(Index group) const { return ranges[2 * group + 1]; }  // the entry after the last one
    std::span<const Id> of(Index group) const {
        return {labels.data() + first(group), static_cast<std::size_t>(last(group) - first(group))};
    }

    // Gives some groups other lists; there are n_groups from now on. O(entries of the other lists) on average: what is
    // no list's any more is left where it is until it is a third of all.
    void replace(Index n_groups, NewLabelLists&& with);
    // A copy whose lists follow each other without gaps, in the order of the groups.
    LabelLists compact() const;
    bool is_compact() const { return n_unused_ == 0; }

    Array<Index> ranges;  // (groups, 2): first() and last()
    Array<Id> labels;     // of each entry, the most frequent of its group first
    Array<float> counts;  // of each entry

private:
    Index n_unused_ = 0;  // entries
};

// Lists of some groups, which follow each other.
struct NewLabelLists {
    std::vector<Index> groups;  // each once
    std::vector<Index> begin{0};
    Array<Id> labels;
    Array<float> counts;
};

// Extends the lists of some groups by the labels of further examples, which are added to their counts: of each group
// the `longest` most frequent labels are kept. Group after group, so that only what is kept is ever held.
class LabelListsExtension {
public:
    // old, y: outlive this.
    LabelListsExtension(const LabelLists& old, const CsrInput& y, Index n_labels, Index longest,
                        LabelLists::TieBreak tie_break, int n_threads);

    // The next groups, of which each comes once; old may lack them. members(i): rows of y in groups[i]. O(labels of all
    // members + old lists of the groups).
    using Members = std::function<std::span<const Index>(Index i)>;
    void append(std::span<const Index> groups, const Members& members);

    NewLabelLists result() && { return std::move(new_); }

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
    NewLabelLists new_;
};

}  // namespace hashslide
