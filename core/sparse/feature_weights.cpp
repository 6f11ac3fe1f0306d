#include "sparse/feature_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

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

namespace {

// Where each of some labels would stand in a sorted list, first <= i < last: all searches take a step before any takes
// the next one, without a branch, so that their reads of memory overlap. places: of as many items as labels.
void lower_bounds(const Id* first, const Id* last, std::span<const Id> labels, std::uint32_t* places) {
    std::fill_n(places, labels.size(), 0u);
    for (auto n = static_cast<std::uint32_t>(last - first); n > 1;) {
        const std::uint32_t half = n / 2;
        for (std::size_t i = 0; i < labels.size(); ++i)
            places[i] += half & -static_cast<std::uint32_t>(first[places[i] + half - 1] < labels[i]);
        n -= half;
    }
    for (std::size_t i = 0; i < labels.size(); ++i) places[i] += first[places[i]] < labels[i];
}

}  // namespace

void FeatureWeights::add_sums(std::span<const Id> ids, std::span<const float> values, std::span<const Id> wanted,
                              float* sums) const {
    if (empty()) return;
    thread_local std::vector<std::uint32_t> places;
    places.resize(wanted.size());
    for (std::size_t j = 0; j < ids.size(); ++j) {
        const Id *first = labels.data() + begin[ids[j]], *last = labels.data() + begin[ids[j] + 1];
        const float *of_list = weight.data() + begin[ids[j]], value = values[j];
        if (last - first < std::ssize(wanted)) {
            auto found = wanted.begin();
            for (const Id* entry = first; entry != last; ++entry) {
                found = std::lower_bound(found, wanted.end(), *entry);
                if (found == wanted.end()) break;
                if (*found == *entry) sums[found - wanted.begin()] += value * of_list[entry - first];
            }
        } else {
            lower_bounds(first, last, wanted, places.data());
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if (first + places[i] != last && first[places[i]] == wanted[i]) sums[i] += value * of_list[places[i]];
        }
    }
}

// In place: what is kept moves towards the front.
void FeatureWeights::shorten(Index longest) {
    std::vector<Index> order;  // entries of a list
    Index first = 0, n_kept = 0;
    for (Index f = 0; f + 1 < begin.size(); ++f) {
        poll();
        order.resize(begin[f + 1] - first);
        std::iota(order.begin(), order.end(), first);
        first = begin[f + 1];
        if (std::ssize(order) > longest) {
            std::nth_element(order.begin(), order.begin() + longest, order.end(), [&](Index a, Index b) {
                const float of_a = std::abs(weight[a]), of_b = std::abs(weight[b]);
                return of_a != of_b ? of_a > of_b : a < b;
            });
            order.resize(longest);
            std::sort(order.begin(), order.end());
        }
        for (const Index entry : order) {
            labels[n_kept] = labels[entry];
            weight[n_kept++] = weight[entry];
        }
        begin[f + 1] = n_kept;
    }
    labels.resize(n_kept);
    weight.resize(n_kept);
}

void FeatureWeights::grow(Index n_features) {
    const Index n_old = begin.size() - 1;
    begin.resize(n_features + 1);
    std::fill(begin.data() + n_old + 1, begin.data() + n_features + 1, begin[n_old]);
}

}  // namespace hashslide
