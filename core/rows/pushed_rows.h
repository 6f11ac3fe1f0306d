// Gradients of rows that several machines push, and their sums in the order of the machines.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"
#include "rows/compact_ids.h"

namespace hashslide {

// What one machine pushes: gradients (ids, width) of rows, each once, and of their biases, if they have some.
struct PushedRows {
    std::span<const Id> ids;
    const float* gradient;
    const float* bias;  // (ids,), or null
};

// The same of several, by row. The parts outlive it.
class GroupedRows {
public:
    // O(rows).
    GroupedRows(std::span<const PushedRows> parts, Index width);

    Index size() const { return ids_.size(); }
    const std::vector<Id>& ids() const { return ids_.ids(); }
    // Sums of row i, whose order is that of the parts. gradient: in place where there is but one; otherwise in memory
    // (width,).
    const float* gradient(Index i, float* memory) const;
    float bias(Index i) const;

private:
    struct Source {
        Id part, row;
    };
    std::span<const Source> of(Index i) const {
        return {sources_.data() + begin_[i], sources_.data() + begin_[i + 1]};
    }

    std::span<const PushedRows> parts_;
    Index width_;
    CompactIds ids_;  // in the order of their first appearance
    std::vector<Index> begin_;
    std::vector<Source> sources_;
};

}  // namespace hashslide
