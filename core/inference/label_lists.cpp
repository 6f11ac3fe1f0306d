#include "inference/label_lists.h"

#include <algorithm>
#include <tuple>

#include "base/best_k.h"
#include "base/parallel.h"
#include "sparse/label_counter.h"

namespace hashslide {
namespace {

constexpr Index group_grain = 16;

struct Entry {
    float count, tie;
    Id label;
    bool operator<(const Entry& other) const {
        return std::tuple(-count, -tie, label) < std::tuple(-other.count, -other.tie, other.label);
    }
};

std::vector<Entry> entries(const LabelCounter& counter) {
    std::vector<Entry> all;
    all.reserve(counter.counts().size());
    for (std::size_t i = 0; i < counter.counts().size(); ++i)
        all.push_back({static_cast<float>(counter.counts()[i]), 0.0f, counter.labels()[i]});
    return all;
}

void keep_best(std::vector<Entry>& entries, Index longest) {
    const auto end = entries.begin() + std::min<Index>(longest, static_cast<Index>(entries.size()));
    std::partial_sort(entries.begin(), end, entries.end());
    entries.erase(end, entries.end());
}

}  // namespace

LabelLists LabelLists::extended(const Members& members, const CsrInput& y, Index n_labels, Index longest,
                                const TieBreak& tie_break, int n_threads) const {
    const Index n_groups = static_cast<Index>(members.size()), n_old = n();
    std::vector<std::vector<Entry>> lists(n_groups);
    parallel_for(n_threads, 0, n_groups, group_grain, [&](Index first, Index last) {
        for (Index g = first; g < last; ++g) {
            thread_local LabelCounter counter;
            counter.clear(n_labels);
            for (const Index row : members[g]) {
                poll();
                y.each(row, [&](Id label, Index) { counter.add(label, 1.0); });
            }
            for (Index i = g < n_old ? begin[g] : 0; i < (g < n_old ? begin[g + 1] : 0); ++i)
                counter.add(labels[i], counts[i]);
            lists[g] = entries(counter);
            if (tie_break)
                for (Entry& entry : lists[g]) entry.tie = ordered(tie_break(g, entry.label));
            keep_best(lists[g], longest);
        }
    });
    LabelLists out;
    out.begin = Array<Index>(n_groups + 1);
    for (Index g = 0; g < n_groups; ++g) out.begin[g + 1] = out.begin[g] + static_cast<Index>(lists[g].size());
    out.labels = Array<Id>(out.begin[n_groups]);
    out.counts = Array<float>(out.begin[n_groups]);
    for (Index g = 0; g < n_groups; ++g) {
        poll();
        for (std::size_t i = 0; i < lists[g].size(); ++i) {
            out.labels[out.begin[g] + static_cast<Index>(i)] = lists[g][i].label;
            out.counts[out.begin[g] + static_cast<Index>(i)] = lists[g][i].count;
        }
    }
    return out;
}

}  // namespace hashslide
