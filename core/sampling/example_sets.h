// Step 3 where each example has an active set of its own: a part that all examples of the batch share, and what is the
// example's alone, above all what hashing found for it. The shared part is computed as matrix products, and each of its
// rows is read once.
#pragma once

#include <span>
#include <vector>

#include "sampling/active_set.h"
#include "sampling/sampler.h"
#include "sparse/csr_input.h"

namespace hashslide {

class ExampleSets {
public:
    // sampled: the neurons found for each example, or empty. Labels of an example that are in `shared` already are not
    // its own.
    void build(const Selection& true_labels, const Selection& sampled, const ActiveSet& shared);

    const Selection& own() const { return own_; }
    // Places of the true labels of an example in the row (shared labels, own labels).
    std::span<const Id> targets(Index example) const { return part(targets_, target_begin_, example); }
    // Places of the labels that the example found. They are not there by chance.
    std::span<const Id> found(Index example) const { return part(found_, found_begin_, example); }

    // The true labels of the batch.
    static void true_labels(const CsrInput& y, const Index* rows, Index n_rows, Selection& out);

private:
    static std::span<const Id> part(const std::vector<Id>& all, const std::vector<Index>& begin, Index i) {
        return {all.data() + begin[i], static_cast<std::size_t>(begin[i + 1] - begin[i])};
    }
    // Adds a label of the current example to its own part, unless it is shared; returns its place in the row.
    Id add(Id label, const ActiveSet& shared);

    Selection own_;
    std::vector<Index> target_begin_, found_begin_;
    std::vector<Id> targets_, found_;
};

}  // namespace hashslide
