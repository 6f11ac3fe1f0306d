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

void LabelLists::replace(Index n_groups, NewLabelLists&& with) {
    ranges.resize(2 * n_groups);
    if (labels.size() == 0) {
        labels = std::move(with.labels);
        counts = std::move(with.counts);
        for (std::size_t i = 0; i < with.groups.size(); ++i) {
            ranges[2 * with.groups[i]] = with.begin[i];
            ranges[2 * with.groups[i] + 1] = with.begin[i + 1];
        }
        return;
    }
    const auto length = [&](std::size_t i) { return with.begin[i + 1] - with.begin[i]; };
    const auto room = [&](std::size_t i) { return last(with.groups[i]) - first(with.groups[i]); };
    Index to = labels.size(), n_appended = 0;
    for (std::size_t i = 0; i < with.groups.size(); ++i) n_appended += length(i) > room(i) ? length(i) : 0;
    labels.resize(to + n_appended);
    counts.resize(to + n_appended);
    for (std::size_t i = 0; i < with.groups.size(); ++i) {
        Index& begin = ranges[2 * with.groups[i]];
        if (length(i) > room(i)) {
            n_unused_ += room(i);
            begin = std::exchange(to, to + length(i));
        } else {
            n_unused_ += room(i) - length(i);
        }
        ranges[2 * with.groups[i] + 1] = begin + length(i);
        std::copy_n(with.labels.data() + with.begin[i], length(i), labels.data() + begin);
        std::copy_n(with.counts.data() + with.begin[i], length(i), counts.data() + begin);
    }
    if (n_unused_ > labels.size() / 3) *this = compact();
}

LabelLists LabelLists::compact() const {
    LabelLists out;
    out.ranges = Array<Index>(ranges.size());
    out.labels = Array<Id>(labels.size() - n_unused_);
    out.counts = Array<float>(labels.size() - n_unused_);
    Index to = 0;
    for (Index group = 0; group < n(); ++group) {
        const Index length = last(group) - first(group);
        std::copy_n(labels.data() + first(group), length, out.labels.data() + to);
        std::copy_n(counts.data() + first(group), length, out.counts.data() + to);
        out.ranges[2 * group] = std::exchange(to, to + length);
        out.ranges[2 * group + 1] = to;
    }
    return out;
}

LabelListsExtension::LabelListsExtension(const LabelLists& old, const CsrInput& y, Index n_labels, Index longest,
                                         LabelLists::TieBreak tie_break, int n_threads)
    : old_(old),
      y_(y),
      n_labels_(n_labels),
      longest_(longest),
      tie_break_(std::move(tie_break)),
      n_threads_(n_threads) {}

void LabelListsExtension::append(std::span<const Index> groups, const Members& members) {
    std::vector<std::vector<Entry>> lists;
    for (Index first = 0; first < std::ssize(groups); first += groups_at_once) {
        const Index last = std::min<Index>(std::ssize(groups), first + groups_at_once);
        lists.resize(last - first);
        parallel_for(n_threads_, first, last, group_grain, [&](Index from, Index to) {
            for (Index i = from; i < to; ++i) lists[i - first] = list(groups[i], members(i));
        });
        Index to = new_.begin.back();
        for (const std::vector<Entry>& list : lists) new_.begin.push_back(new_.begin.back() + std::ssize(list));
        new_.labels.resize(new_.begin.back());
        new_.counts.resize(new_.begin.back());
        for (const std::vector<Entry>& list : lists) {
            for (const Entry& entry : list) {
                new_.labels[to] = entry.label;
                new_.counts[to++] = entry.count;
            }
        }
    }
    new_.groups.insert(new_.groups.end(), groups.begin(), groups.end());
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
    for (Index i = is_old ? old_.first(group) : 0; i < (is_old ? old_.last(group) : 0); ++i) {
        const Id label = old_.labels[i];
        offer(counter.take(label) + static_cast<double>(old_.counts[i]), label);
    }
    counter.take_all([&](Id label, std::uint32_t count) { offer(count, label); });
    std::sort_heap(best.begin(), best.end());
    return best;
}

}  // namespace hashslide
