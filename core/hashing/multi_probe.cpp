#include "hashing/multi_probe.h"

#include <algorithm>
#include <cmath>

namespace hashslide {
namespace {

constexpr Index tries_per_probe = 8;  // folded codes may meet in a bucket again

}  // namespace

void MultiProbe::push(double cost, std::size_t last, std::uint64_t sum) {
    heap_.push_back({cost, pushed_++, last, sum});
    std::push_heap(heap_.begin(), heap_.end());
}

MultiProbe::Step MultiProbe::pop() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Step step = heap_.back();
    heap_.pop_back();
    return step;
}

void MultiProbe::operator()(Index t, std::uint64_t sum, const Id* values, const Id* seconds, const float* gaps,
                            Index stride, Index probes, Id* out) {
    changes_.clear();
    heap_.clear();
    for (Index k = t * codes_.hashes(); k < (t + 1) * codes_.hashes(); ++k) {
        const double gap = gaps[k * stride];
        if (std::isfinite(gap))
            changes_.push_back({gap * gap, codes_.change(k, values[k * stride], seconds[k * stride])});
    }
    std::stable_sort(changes_.begin(), changes_.end(),
                     [](const Change& a, const Change& b) { return a.cost < b.cost; });

    Index found = 0;
    out[found++] = codes_.bucket(sum);
    if (!changes_.empty()) push(changes_[0].cost, 0, sum + changes_[0].difference);
    for (Index tries = tries_per_probe * probes; found < probes && tries > 0 && !heap_.empty(); --tries) {
        const Step step = pop();
        const Id bucket = codes_.bucket(step.sum);
        if (std::find(out, out + found, bucket) == out + found) out[found++] = bucket;
        if (step.last + 1 == changes_.size()) continue;
        const Change &last = changes_[step.last], &next = changes_[step.last + 1];
        push(step.cost + next.cost, step.last + 1, step.sum + next.difference);
        push(step.cost - last.cost + next.cost, step.last + 1, step.sum - last.difference + next.difference);
    }
    std::fill(out + found, out + probes, Id{-1});
}

}  // namespace hashslide
