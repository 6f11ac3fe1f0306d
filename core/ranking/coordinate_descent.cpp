#include "ranking/coordinate_descent.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "base/interrupt.h"
#include "base/rng.h"

namespace hashslide {
namespace {

constexpr Index pairs_per_poll = 64;  // to ask takes as long as to read a short row
constexpr float squared_length = 2;   // of a row of length 1 and the bias's feature

}  // namespace

LabelClassifier CoordinateDescent::solve(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs,
                                         float true_weight, const RankerSettings& settings, std::uint64_t seed) {
    const Index n_true = std::count_if(pairs.begin(), pairs.end(), [](HardPairs::Pair p) { return p.is_true(); });
    if (n_true == 0) return {{}, -1.0f};  // what all examples ask for
    const Index n = std::ssize(pairs);
    bias_ = alpha_of_others_ = 0.0f;
    const Index n_others = examples.x.n_rows() - n;
    alpha_.assign(pairs.size(), 0.0f);
    order_.resize(pairs.size());
    std::iota(order_.begin(), order_.end(), Index{0});
    rows_.gather(examples, pairs);
    try {
        for (Index number = 0; number < settings.sweeps; ++number) {
            const CounterRng rng(seed, Stream::ranker, static_cast<std::uint64_t>(number));
            for (Index i = n - 1; i > 0; --i)
                std::swap(order_[i], order_[rng.below(static_cast<std::uint64_t>(i), i + 1)]);
            const float change = step_of_others(settings.cost * static_cast<float>(n_others));
            if (std::max(change, sweep(examples, pairs, true_weight, settings.cost)) < settings.tolerance) break;
        }
        return {take(n, std::max(settings.longest, n_true / settings.examples_of_weight), settings.least_share), bias_};
    } catch (...) {
        std::fill(w_.begin(), w_.end(), 0.0f);
        throw;
    }
}

void CoordinateDescent::Rows::gather(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs) {
    constexpr Index ahead = 8;
    examples_ = &examples;
    pairs_ = pairs;
    begin_.assign(1, 0);
    entries_.clear();
    is_copied_ = true;
    const Index n = std::ssize(pairs);
    for (Index i = 0; i < n && is_copied_; ++i) {
        if (i + 2 * ahead < n) examples.x.prefetch_offset(pairs[i + 2 * ahead].row());
        if (i + ahead < n) examples.x.prefetch(pairs[i + ahead].row());
        const float scale = examples.scale[pairs[i].row()];
        examples.x.each(pairs[i].row(), [&](Id feature, Index entry) {
            entries_.emplace_back(feature, examples.x.value(entry) * scale);
        });
        begin_.push_back(std::ssize(entries_));
        is_copied_ = std::ssize(entries_) <= most_copied;
    }
}

// The step of all examples that are in no pair of the label, which count as false ones without features: they say how
// seldom it is right, and the network has told them apart by the rest.
float CoordinateDescent::step_of_others(float cost) {
    if (cost == 0) return 0.0f;
    const float slack = 0.5f / cost, gradient = -bias_ - 1.0f + slack * alpha_of_others_;
    const float next = std::max(0.0f, alpha_of_others_ - gradient / (1.0f + slack));
    bias_ -= next - std::exchange(alpha_of_others_, next);
    return std::abs(alpha_of_others_ > 0 ? gradient : std::min(gradient, 0.0f));
}

// One step in each dual variable alpha, the Lagrange multiplier of a pair, 0 <= alpha: w = sum of alpha y x, b = sum of
// alpha y, as if every row had a further feature of value 1. Returns the largest projected gradient.
float CoordinateDescent::sweep(const RankedExamples& examples, std::span<const HardPairs::Pair> pairs,
                               float true_weight, float cost) {
    float largest = 0;
    Index done = 0;
    for (const Index i : order_) {
        if (done++ % pairs_per_poll == 0) poll();
        const Index row = pairs[i].row();
        const float y = pairs[i].is_true() ? 1.0f : -1.0f;
        const float c =
            cost * (pairs[i].is_true() ? true_weight : 1.0f) * (examples.weight.empty() ? 1.0f : examples.weight[row]);
        if (examples.scale[row] == 0 || c == 0) continue;
        const float slack = 0.5f / c;  // of the squared hinge: a diagonal addend to the matrix of products
        float margin = bias_;
        rows_.each(i, [&](Id feature, float value) { margin += w_[feature] * value; });
        const float gradient = y * margin - 1.0f + slack * alpha_[i];
        largest = std::max(largest, std::abs(alpha_[i] > 0 ? gradient : std::min(gradient, 0.0f)));
        const float next = std::max(0.0f, alpha_[i] - gradient / (squared_length + slack));
        const float change = (next - alpha_[i]) * y;
        if (change == 0) continue;
        alpha_[i] = next;
        bias_ += change;
        rows_.each(i, [&](Id feature, float value) { w_[feature] += change * value; });
    }
    return largest;
}

// The large weights; leaves w_ at 0.
LabelWeights::OfLabel CoordinateDescent::take(Index n_pairs, Index longest, float least_share) {
    LabelWeights::OfLabel weights;
    for (Index i = 0; i < n_pairs; ++i)
        rows_.each(i, [&](Id feature, float) {
            if (w_[feature] != 0) weights.emplace_back(feature, w_[feature]);
            w_[feature] = 0;
        });
    if (weights.empty()) return weights;
    lengths_.clear();
    for (const auto& [feature, weight] : weights) lengths_.push_back(std::abs(weight));
    float least = least_share * *std::max_element(lengths_.begin(), lengths_.end());
    if (std::ssize(lengths_) > longest) {
        const auto end = lengths_.begin() + longest;
        std::nth_element(lengths_.begin(), end, lengths_.end(), std::greater<float>());
        least = std::max(least, std::nextafter(*end, std::numeric_limits<float>::infinity()));
    }
    std::erase_if(weights, [&](const auto& w) { return std::abs(w.second) < least; });
    std::sort(weights.begin(), weights.end());
    return LabelWeights::OfLabel(weights);  // a copy has no room for what was cut
}

}  // namespace hashslide
