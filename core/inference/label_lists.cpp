#include "inference/label_lists.h"

#include <algorithm>
#include <limits>

#include "base/best_k.h"
#include "base/parallel.h"
#include "sparse/label_counter.h"

namespace hashslide {
namespace {

constexpr Index group_grain = 16;
constexpr Index groups_at_once = 4096;  // whose lists are held before they are put together

}  // namespace

LabelListsExtension::LabelListsExtension(const LabelLists& old, const CsrInput& y, Index n_labels, Index longest,
                                         LabelLists::TieBreak tie_break, int n_threads)
    : old_(old),
      y_(y),
      n_labels_(n_labels),
      longest_(longest),
      tie_break_(std::move(tie_break)),
      n_threads_(n_threads) {
    new_.begin = Array<Index>(1);
}

void LabelListsExtension::append(Index last, const Members& members) {
    std::vector<std::vector<Entry>> lists;
    for (Index begin = new_.n(); begin < last; begin = new_.n()) {
        const Index end = std::min(last, begin + groups_at_once);
        lists.resize(end - begin);
        parallel_for(n_threads_, begin, end, group_grain, [&](Index from, Index to) {
            for (Index g = from; g < to; ++g) lists[g - begin] = list(g, members(g));
        });
        new_.begin.resize(end + 1);
        for (Index g = begin; g < end; ++g) new_.begin[g + 1] = new_.begin[g] + std::ssize(lists[g - begin]);
        new_.labels.resize(new_.begin[end]);
        new_.counts.resize(new_.begin[end]);
        for (Index g = begin; g < end; ++g) {
            Index to = new_.begin[g];
            for (const Entry& entry : lists[g - begin]) {
                new_.labels[to] = entry.label;
                new_.counts[to++] = entry.count;
            }
        }
    }
}

// A heap with the worst of the best on top. Of a label that occurs less often than that one nothing else is asked.
std::vector<LabelListsExtension::Entry> LabelListsExtension::list(Index group, std::span<const Index> rows) const {
    LabelCounter& counter = LabelCounter::of_this_thread();
    counter.count(y_, rows, n_labels_);
    std::vector<Entry> best;
    Entry worst{-std::numeric_limits<float>::infinity(), 0.0f, 0};  // once there are `longest`
    const auto offer = [&](double total, Id label) {
        Entry entry{static_cast<float>(total), 0.0f, label};
        if (entry.count < worst.count) return;
        if (tie_break_)
            entry.tie = ordered(tie_break_(group, label));
        else if (entry.count == worst.count && label > worst.label)
            return;
        if (std::ssize(best) == longest_) {
            if (!(entry < worst)) return;
            std::pop_heap(best.begin(), best.end());
            best.back() = entry;
        } else {
            best.push_back(entry);
        }
        std::push_heap(best.begin(), best.end());
        if (std::ssize(best) == longest_) worst = best.front();
    };
    const bool is_old = group < old_.n();
    for (Index i = is_old ? old_.begin[group] : 0; i < (is_old ? old_.begin[group + 1] : 0); ++i) {
        const Id label = old_.labels[i];
        offer(counter.take(label) + static_cast<double>(old_.counts[i]), label);
    }
    counter.take_all([&](Id label, std::uint32_t count) { offer(count, label); });
    std::sort_heap(best.begin(), best.end());
    return best;
}

}  // namespace hashslide
