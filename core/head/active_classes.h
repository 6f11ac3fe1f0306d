// The active classes of a batch, in ascending order, and what their logits are corrected by.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "head/view.h"

namespace hashslide {

struct DrawSettings {
    Index n_classes = 0;
    Index negatives = 0;            // uniform draws with replacement
    bool in_batch = true;           // the labels of an example are negatives for the others
    const float* counts = nullptr;  // how often each class occurs among n_examples; null: not known
    Index n_examples = 0;
    std::uint64_t seed = 0, step = 0;
};

// Classes that hashing found for each example: those of b are ids[begin[b]] ..; begin null: none.
struct FoundClasses {
    const Index* begin = nullptr;
    const Id* ids = nullptr;
};

// shift of a class: log r, with r the chance that it meets an example that does not carry it.
//   counts known      r = 1 - (1 - f)^(N - 1) (1 - 1/C)^u, as in the engine (LabelPrior)
//   counts not known  the labels of the batch are taken as given: r = 1 for a label of another example, and
//                     r = 1 - (1 - 1/C)^u for what only the draws can bring
//   found             r = 1; a label is certain for the example that found it alone
// Without the labels of the batch as negatives, a class that was not drawn has the shift infinity.
// target_shift is log r of a label for its own example. O((labels + u + found) log).
struct ActiveClasses {
    std::vector<Id> ids;
    std::vector<float> shift;         // of ids
    std::vector<Id> places;           // of the labels of the batch, in ids
    std::vector<float> target_shift;  // of the labels of the batch
};

ActiveClasses draw_active(const DrawSettings& settings, const HeadLabels& labels, Index n_counted,
                          const FoundClasses& found);

}  // namespace hashslide
