#include "sampling/example_sets.h"

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
    if (shared.contains(label)) {
        certain_.push_back(shared.position(label));
        return certain_.back();
    }
    own_.ids.push_back(label);
    return static_cast<Id>(shared.size() + static_cast<Index>(own_.ids.size()) - 1 - own_.begin.back());
}

void ExampleSets::build(const Selection& true_labels, const Selection& sampled, const ActiveSet& shared) {
    own_.ids.clear();
    targets_.clear();
    certain_.clear();
    for (std::vector<Index>* begin : {&own_.begin, &target_begin_, &certain_begin_}) begin->assign(1, 0);
    for (std::size_t b = 0; b + 1 < true_labels.begin.size(); ++b) {
        for (Index p = true_labels.begin[b]; p < true_labels.begin[b + 1]; ++p)
            targets_.push_back(add(true_labels.ids[p], shared));
        if (!sampled.begin.empty())
            for (Index p = sampled.begin[b]; p < sampled.begin[b + 1]; ++p) add(sampled.ids[p], shared);
        own_.begin.push_back(static_cast<Index>(own_.ids.size()));
        target_begin_.push_back(static_cast<Index>(targets_.size()));
        certain_begin_.push_back(static_cast<Index>(certain_.size()));
    }
}

}  // namespace hashslide
