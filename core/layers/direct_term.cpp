#include "layers/direct_term.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/best_k.h"
#include "base/parallel.h"
#include "sparse/column_blocks.h"
#include "sparse/label_counter.h"

namespace hashslide {
namespace {

constexpr Index feature_grain = 64;
constexpr Index features_at_once = 8192;  // whose lists are held before they are put together

// Not less than log(1 + x), even rounded to float, for x >= 0, and some .06 more at most: of the binary logarithm of a
// number 2^e m the part log2(m) is at most m - 1 + .0861. A tenth of the time of the logarithm.
double log1p_bound(double x) {
    if (std::isinf(x)) return x;
    constexpr double chord = 0.0862, log_of_2 = 0.693148, rounding = 1 + 1e-6;
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(1.0 + x);
    const double exponent = static_cast<double>(bits >> 52) - 1023.0;
    const double mantissa = std::bit_cast<double>((bits & ((1ULL << 52) - 1)) | (1023ULL << 52));
    return rounding * std::min(x, log_of_2 * (exponent + mantissa - 1.0 + chord));
}

}  // namespace

DirectTerm::DirectTerm(const DirectTermConfig& config, Index n_features)
    : begin(n_features + 1), config_(config), n_features_(n_features) {}

// New features have empty lists.
void DirectTerm::grow(Index n_features) {
    begin.resize(n_features + 1);
    std::fill(begin.data() + n_features_ + 1, begin.data() + n_features + 1, begin[n_features_]);
    n_features_ = n_features;
}

void DirectTerm::choose_pairs(const CsrInput& x, const CsrInput& y, const std::vector<Index>& label_counts,
                              int n_threads) {
    if (config_.labels_per_feature == 0) return;
    Array<Index> ends(n_features_ + 1);
    Array<Id> chosen;
    ColumnBlocks columns(x, n_features_);
    while (columns.next()) {
        for (Index begin = columns.first(); begin < columns.last(); begin += features_at_once) {
            const Index end = std::min(columns.last(), begin + features_at_once);
            std::vector<std::vector<Id>> lists(end - begin);
            parallel_for(n_threads, begin, end, feature_grain, [&](Index first, Index last) {
                for (Index f = first; f < last; ++f) lists[f - begin] = labels_of(columns.rows(f), y, label_counts);
            });
            for (Index f = begin; f < end; ++f) ends[f + 1] = ends[f] + std::ssize(lists[f - begin]);
            chosen.resize(ends[end]);
            for (Index f = begin; f < end; ++f) std::ranges::copy(lists[f - begin], chosen.data() + ends[f]);
        }
    }
    Array<float> zeros(chosen.size()), more_zeros(chosen.size());
    begin = std::move(ends);
    labels = std::move(chosen);
    weight = std::move(zeros);
    accumulator = std::move(more_zeros);
}

std::vector<Id> DirectTerm::labels_of(std::span<const Index> examples, const CsrInput& y,
                                      const std::vector<Index>& label_counts) const {
    if (std::ssize(examples) < config_.min_count) return {};
    LabelCounter& counter = LabelCounter::of_this_thread();
    counter.count(y, examples, std::ssize(label_counts));
    const double n = static_cast<double>(y.n_rows()), n_feature = static_cast<double>(std::ssize(examples));
    BestK best(config_.labels_per_feature);
    counter.take_all([&](Id label, double count) {
        if (count < static_cast<double>(config_.min_count)) return;
        const double lift = count / (n_feature * static_cast<double>(label_counts[label]) / n);
        if (best.full() && count * log1p_bound(lift) < best.worst().score) return;
        best.offer({static_cast<float>(count * std::log1p(lift)), label});
    });
    std::vector<Id> chosen;
    for (const Hit& hit : best.hits()) chosen.push_back(hit.label);
    std::ranges::sort(chosen);
    return chosen;
}

void DirectTerm::forward(const BatchFeatures& batch, const ActiveSet& active, Work& work, float* logits,
                         int n_threads) const {
    const std::vector<Id>& touched = batch.touched();
    const Index n_touched = static_cast<Index>(touched.size());
    work.list_begin.assign(1, 0);
    for (const Id f : touched) work.list_begin.push_back(work.list_begin.back() + begin[f + 1] - begin[f]);
    if (static_cast<Index>(work.present.size()) < work.list_begin.back()) work.present.resize(work.list_begin.back());
    work.present_size.resize(n_touched);
    parallel_for(n_threads, 0, n_touched, feature_grain, [&](Index first, Index last) {
        for (Index t = first; t < last; ++t) {
            Work::Present* out = work.present.data() + work.list_begin[t];
            for (Index entry = begin[touched[t]]; entry < begin[touched[t] + 1]; ++entry)
                if (active.contains(labels[entry])) *out++ = {entry, active.position(labels[entry])};
            work.present_size[t] = out - (work.present.data() + work.list_begin[t]);
        }
    });
    parallel_for(n_threads, 0, batch.n_examples(), 8, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            float* z = logits + b * active.size();
            for (std::size_t j = 0; j < batch.ids(b).size(); ++j) {
                const Index t = batch.positions(b)[j];
                const float value = batch.values(b)[j];
                const Work::Present* present = work.present.data() + work.list_begin[t];
                for (Index i = 0; i < work.present_size[t]; ++i)
                    z[present[i].position] += value * weight[present[i].entry];
            }
        }
    });
}

void DirectTerm::backward_and_update(const BatchFeatures& batch, const ActiveSet& active, const Work& work,
                                     const float* gradient, float rate, int n_threads) {
    const float entry_rate = rate * config_.rate;
    parallel_for(n_threads, 0, static_cast<Index>(batch.touched().size()), feature_grain, [&](Index first, Index last) {
        std::vector<float> sum;
        for (Index t = first; t < last; ++t) {
            const Work::Present* present = work.present.data() + work.list_begin[t];
            sum.assign(work.present_size[t], 0.0f);
            for (std::size_t e = 0; e < batch.examples(t).size(); ++e) {
                const float value = batch.example_values(t)[e];
                const float* row = gradient + batch.examples(t)[e] * active.size();
                for (Index i = 0; i < work.present_size[t]; ++i) sum[i] += value * row[present[i].position];
            }
            for (Index i = 0; i < work.present_size[t]; ++i) {
                const Index entry = present[i].entry;
                accumulator[entry] += sum[i] * sum[i];
                weight[entry] -= entry_rate * sum[i] / std::sqrt(config_.initial_accumulator + accumulator[entry]);
            }
        }
    });
}

void DirectTerm::add(std::span<const Id> ids, std::span<const float> values, Id first, Id last, float* z) const {
    if (!enabled()) return;
    for (std::size_t j = 0; j < ids.size(); ++j) {
        const Id* end = labels.data() + begin[ids[j] + 1];
        const Id* entry = std::lower_bound(labels.data() + begin[ids[j]], end, first);
        for (; entry < end && *entry < last; ++entry) z[*entry - first] += values[j] * weight[entry - labels.data()];
    }
}

}  // namespace hashslide
