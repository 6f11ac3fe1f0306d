#include "sampling/example_sets.h"

#include <algorithm>

namespace hashslide {

void ExampleSets::true_labels(const CsrInput& y, const Index* rows, Index n_rows, Selection& out) {
    out.begin.assign(1, 0);
    out.ids.clear();
    for (Index b = 0; b < n_rows; ++b) {
        y.each(rows[b], [&](Id label, Index) { out.ids.push_back(label); });
        out.begin.push_back(static_cast<Index>(out.ids.size()));
    }
}

Id ExampleSets::add(Id label, const ActiveSet& shared) {
    if (shared.contains(label)) return shared.position(label);
    own_.ids.push_back(label);
    return static_cast<Id>(shared.size() + static_cast<Index>(own_.ids.size()) - 1 - own_.begin.back());
}

void ExampleSets::build(const Selection& true_labels, const Selection& sampled, const ActiveSet& shared) {
    own_.ids.clear();
    targets_.clear();
    found_.clear();
    for (std::vector<Index>* begin : {&own_.begin, &target_begin_, &found_begin_}) begin->assign(1, 0);
    for (Index b = 0; b < true_labels.n(); ++b) {
        const std::span<const Id> own_labels = true_labels.of(b);
        for (const Id label : own_labels) targets_.push_back(add(label, shared));
        if (sampled.n() > 0)
            for (const Id label : sampled.of(b)) {
                const auto at = std::lower_bound(own_labels.begin(), own_labels.end(), label);
                const bool is_true = at != own_labels.end() && *at == label;
                found_.push_back(is_true ? targets_[target_begin_.back() + (at - own_labels.begin())]
                                         : add(label, shared));
            }
        own_.begin.push_back(static_cast<Index>(own_.ids.size()));
        target_begin_.push_back(static_cast<Index>(targets_.size()));
        found_begin_.push_back(static_cast<Index>(found_.size()));
    }
}

}  // namespace hashslide
