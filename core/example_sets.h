// Step 3 where each example has an active set of its own: a part that all examples of the batch share, the popular
// labels and the uniform draws, and the example's own part, its true labels and those that hashing found. The shared
// part is computed as in a set for the batch, as matrix products, and each of its rows is read once.
#pragma once

#include <span>
#include <vector>

#include "active_set.h"
#include "csr.h"
#include "sampler.h"

namespace hashslide {

class ExampleSets {
public:
    // sampled: the neurons found for each example, none of them a true label; or empty. The chosen labels that are in
    // `shared` already are left out.
    void build(const CsrView& y, const Index* rows, Index n_rows, const Selection& sampled, const ActiveSet& shared);

    // The own labels of each example, the true ones first.
    const Selection& own() const { return own_; }
    // Places of the true labels of an example in the row (shared labels, own labels).
    std::span<const Id> targets(Index example) const { return part(targets_, target_begin_, example); }
    // Places in the shared part of labels that the example would have had anyway: not by chance.
    std::span<const Id> certain(Index example) const { return part(certain_, certain_begin_, example); }

    // The true labels of the batch.
    static void true_labels(const CsrView& y, const Index* rows, Index n_rows, Selection& out);

private:
    static std::span<const Id> part(const std::vector<Id>& all, const std::vector<Index>& begin, Index i) {
        return {all.data() + begin[i], static_cast<std::size_t>(begin[i + 1] - begin[i])};
    }

    Selection own_;
    std::vector<Index> target_begin_, certain_begin_;
    std::vector<Id> targets_, certain_;
};

// log of the chance r = 1 - (1 - 1/n)^draws that a label is among the uniform draws. Given the tables, everything else
// in a set is certain to be there. A label that is there by chance stands for all those that might have been: log r is
// its shift (loss.h), so that the softmax's partition function is estimated without bias whatever the hashing finds.
float log_drawn(Index draws, Index n_labels);

}  // namespace hashslide
