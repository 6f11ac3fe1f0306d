#include "layers/direct_term.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "sparse/label_counter.h"

namespace hashslide {
namespace {

constexpr Index feature_grain = 64;

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
    const auto examples = rows_by_column(x, n_features_);
    std::vector<std::vector<Pair>> lists(n_features_);
    parallel_for(n_threads, 0, n_features_, feature_grain, [&](Index first, Index last) {
        for (Index f = first; f < last; ++f) lists[f] = pairs_of(examples[f], y, label_counts);
    });
    Array<Index> ends(n_features_ + 1);
    for (Index f = 0; f < n_features_; ++f) ends[f + 1] = ends[f] + static_cast<Index>(lists[f].size());
    const Index n = ends[n_features_];
    Array<Id> chosen(n);
    for (Index f = 0; f < n_features_; ++f)
        std::transform(lists[f].begin(), lists[f].end(), chosen.data() + ends[f],
                       [](const Pair& p) { return p.label; });
    Array<float> zeros(n), more_zeros(n);
    begin = std::move(ends);
    labels = std::move(chosen);
    weight = std::move(zeros);
    accumulator = std::move(more_zeros);
}

std::vector<DirectTerm::Pair> DirectTerm::pairs_of(const std::vector<Index>& examples, const CsrInput& y,
                                                   const std::vector<Index>& label_counts) const {
    thread_local LabelCounter counter;
    counter.clear(static_cast<Index>(label_counts.size()));
    for (const Index row : examples) {
        poll();
        y.each(row, [&](Id label, Index) { counter.add(label, 1.0); });
    }
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < counter.counts().size(); ++i) {
        const Id label = counter.labels()[i];
        const double count = counter.counts()[i];
        const double expected = static_cast<double>(examples.size()) * static_cast<double>(label_counts[label]) /
                                static_cast<double>(y.n_rows());
        if (count >= static_cast<double>(config_.min_count))
            pairs.push_back({static_cast<float>(count * std::log1p(count / expected)), label});
    }
    const auto by_label = [](const Pair& a, const Pair& b) { return a.label < b.label; };
    if (static_cast<Index>(pairs.size()) > config_.labels_per_feature) {
        const auto better = [](const Pair& a, const Pair& b) {
            return a.score != b.score ? a.score > b.score : a.label < b.label;
        };
        std::nth_element(pairs.begin(), pairs.begin() + config_.labels_per_feature, pairs.end(), better);
        pairs.resize(config_.labels_per_feature);
    }
    std::sort(pairs.begin(), pairs.end(), by_label);
    return pairs;
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
