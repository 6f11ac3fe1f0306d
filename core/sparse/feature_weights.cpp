#include "sparse/feature_weights.h"

#include <algorithm>

#include "base/interrupt.h"

namespace hashslide {

FeatureWeights::FeatureWeights(std::vector<OfLabel>&& of_labels, Index n_features) : FeatureWeights(n_features) {
    for (const OfLabel& of_label : of_labels)
        for (const auto& entry : of_label) ++begin[entry.first + 1];
    for (Index f = 0; f < n_features; ++f) begin[f + 1] += begin[f];
    labels = Array<Id>(begin[n_features]);
    weight = Array<float>(begin[n_features]);
    std::vector<Index> next(begin.data(), begin.data() + n_features);
    for (std::size_t label = 0; label < of_labels.size(); ++label) {
        poll();
        for (const auto& [feature, w] : of_labels[label]) {
            labels[next[feature]] = static_cast<Id>(label);
            weight[next[feature]++] = w;
        }
        OfLabel().swap(of_labels[label]);
    }
}

Index FeatureWeights::find(Id feature, Id label) const {
    const Id *first = labels.data() + begin[feature], *last = labels.data() + begin[feature + 1];
    const Id* entry = std::lower_bound(first, last, label);
    return entry != last && *entry == label ? entry - labels.data() : -1;
}

float FeatureWeights::sum(std::span<const Id> ids, std::span<const float> values, Id label) const {
    float sum = 0;
    for (std::size_t j = 0; j < ids.size(); ++j)
        if (const Index entry = find(ids[j], label); entry >= 0) sum += values[j] * weight[entry];
    return sum;
}

void FeatureWeights::add_sums(std::span<const Id> ids, std::span<const float> values, std::span<const Hit> hits,
                              float* sums) const {
    if (empty()) return;
    const auto is_before = [](const Hit& hit, Id label) { return hit.label < label; };
    for (std::size_t j = 0; j < ids.size(); ++j) {
        const Id *entry = labels.data() + begin[ids[j]], *end = labels.data() + begin[ids[j] + 1];
        const auto add = [&](std::size_t i) { sums[i] += values[j] * weight[entry - labels.data()]; };
        if (end - entry < std::ssize(hits)) {
            auto hit = hits.begin();
            for (; entry != end; ++entry) {
                hit = std::lower_bound(hit, hits.end(), *entry, is_before);
                if (hit == hits.end()) break;
                if (hit->label == *entry) add(static_cast<std::size_t>(hit - hits.begin()));
            }
        } else {
            for (std::size_t i = 0; i < hits.size(); ++i) {
                entry = std::lower_bound(entry, end, hits[i].label);
                if (entry == end) break;
                if (*entry == hits[i].label) add(i);
            }
        }
    }
}

void FeatureWeights::grow(Index n_features) {
    const Index n_old = begin.size() - 1;
    begin.resize(n_features + 1);
    std::fill(begin.data() + n_old + 1, begin.data() + n_features + 1, begin[n_old]);
}

}  // namespace hashslide
