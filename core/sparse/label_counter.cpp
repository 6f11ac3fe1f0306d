#include "sparse/label_counter.h"

#include "base/interrupt.h"

namespace hashslide {
namespace {

constexpr std::size_t rows_between_polls = 32;
constexpr std::size_t ahead = 4;  // rows that are asked for before they are needed: they lie at random places

}  // namespace

LabelCounter& LabelCounter::of_this_thread() {
    thread_local LabelCounter counter;
    return counter;
}

void LabelCounter::count(const CsrInput& y, std::span<const Index> rows, Index n_labels) {
    take_all([](Id, std::uint32_t) {});  // of a call that an exception has ended
    if (std::ssize(counts_) < n_labels) {
        met_.resize(n_labels + 1);  // with room for the branchless note of a label that is no new one
        counts_.resize(n_labels);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i % rows_between_polls == 0) poll();
        if (i + 2 * ahead < rows.size()) y.prefetch_offset(rows[i + 2 * ahead]);
        if (i + ahead < rows.size()) y.prefetch(rows[i + ahead]);
        add(y, rows[i]);
    }
}

void LabelCounter::add(const CsrInput& y, Index row) {
    std::uint32_t* counts = counts_.data();
    Id* met = met_.data();
    std::size_t n_met = n_met_;
    try {
        y.each(row, [&](Id label, Index) {
            met[n_met] = label;
            n_met += counts[label]++ == 0;
        });
    } catch (...) {
        n_met_ = n_met;
        throw;
    }
    n_met_ = n_met;
}

}  // namespace hashslide
