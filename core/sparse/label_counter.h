// How often each label occurs in some rows: one number for each label, of which only those that have been met are read
// and set back.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sparse/csr_input.h"

namespace hashslide {

class LabelCounter {
public:
    // Kept between calls. Not inline, so that its address is looked up once and not at each label.
    static LabelCounter& of_this_thread();

    // Counts the labels of the rows, from 0. O(their labels).
    void count(const CsrInput& y, std::span<const Index> rows, Index n_labels);

    // The count of a label, which is then forgotten.
    std::uint32_t take(Id label) { return std::exchange(counts_[label], 0); }
    // Calls f(label, count) for the labels that have been met, in the order of their first appearance, but for those
    // taken, and forgets them.
    template <class F>
    void take_all(F&& f) {
        for (std::size_t i = 0; i < n_met_; ++i)
            if (const std::uint32_t count = take(met_[i])) f(met_[i], count);
        n_met_ = 0;
    }

private:
    void add(const CsrInput& y, Index row);

    std::vector<std::uint32_t> counts_;
    std::vector<Id> met_;
    std::size_t n_met_ = 0;
};

}  // namespace hashslide
