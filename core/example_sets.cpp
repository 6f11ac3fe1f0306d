#include "example_sets.h"

#include <cmath>

namespace hashslide {

void ExampleSets::true_labels(const CsrView& y, const Index* rows, Index n_rows, Selection& out) {
    out.begin.assign(1, 0);
    out.ids.clear();
    for (Index b = 0; b < n_rows; ++b) {
        out.ids.insert(out.ids.end(), y.ids(rows[b]).begin(), y.ids(rows[b]).end());
        out.begin.push_back(static_cast<Index>(out.ids.size()));
    }
}

void ExampleSets::build(const CsrView& y, const Index* rows, Index n_rows, const Selection& sampled,
                        const ActiveSet& shared) {
    own_.begin.assign(1, 0);
    own_.ids.clear();
    target_begin_.assign(1, 0);
    targets_.clear();
    certain_begin_.assign(1, 0);
    certain_.clear();
    for (Index b = 0; b < n_rows; ++b) {
        for (const Id label : y.ids(rows[b])) {
            const bool is_shared = shared.contains(label);
            const Index place = shared.size() + static_cast<Index>(own_.ids.size()) - own_.begin.back();
            targets_.push_back(is_shared ? shared.position(label) : static_cast<Id>(place));
            if (is_shared)
                certain_.push_back(targets_.back());
            else
                own_.ids.push_back(label);
        }
        if (!sampled.begin.empty())
            for (Index p = sampled.begin[b]; p < sampled.begin[b + 1]; ++p) {
                const Id label = sampled.ids[p];
                if (shared.contains(label))
                    certain_.push_back(shared.position(label));
                else
                    own_.ids.push_back(label);
            }
        certain_begin_.push_back(static_cast<Index>(certain_.size()));
        own_.begin.push_back(static_cast<Index>(own_.ids.size()));
        target_begin_.push_back(static_cast<Index>(targets_.size()));
    }
}

float log_drawn(Index draws, Index n_labels) {
    if (n_labels == 1) return 0.0f;
    const double undrawn = static_cast<double>(draws) * std::log1p(-1.0 / static_cast<double>(n_labels));
    return static_cast<float>(std::log(-std::expm1(undrawn)));
}

}  // namespace hashslide
