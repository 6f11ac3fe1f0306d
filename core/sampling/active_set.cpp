#include "sampling/active_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hashslide {
namespace {

constexpr std::size_t prefetched = 8;  // labels whose entries, which lie anywhere, are asked for ahead

}  // namespace

void LabelPrior::set(const Index* counts, Index n_examples, Index n_popular) {
    std::copy_n(counts, counts_.size(), counts_.begin());
    n_examples_ = n_examples;
    n_occurrences_ = std::accumulate(counts_.begin(), counts_.end(), Index{0});
    std::vector<Id> all(n_popular > 0 ? counts_.size() : 0);
    std::iota(all.begin(), all.end(), 0);
    choose_popular(std::move(all), n_popular);
}

void LabelPrior::update(std::span<const Id> labels, const Index* counts, Index n_examples, Index n_popular) {
    std::vector<Id> candidates;
    if (n_popular > 0) {
        candidates = popular_;
        std::ranges::copy(labels, std::back_inserter(candidates));
        std::ranges::sort(candidates);
        const auto twice = std::ranges::unique(candidates);
        candidates.erase(twice.begin(), twice.end());
    }
    for (const Id label : labels) {
        n_occurrences_ += *counts - counts_[label];
        counts_[label] = *counts++;
    }
    n_examples_ = n_examples;
    choose_popular(std::move(candidates), n_popular);
}

float LabelPrior::mean_labels() const {
    return static_cast<float>(static_cast<double>(std::max<Index>(1, n_occurrences_)) /
                              static_cast<double>(std::max<Index>(1, n_examples_)));
}

void LabelPrior::choose_popular(std::vector<Id> candidates, Index n_popular) {
    const auto middle = candidates.begin() + std::min<Index>(n_popular, std::ssize(candidates));
    std::partial_sort(candidates.begin(), middle, candidates.end(),
                      [&](Id a, Id b) { return counts_[a] != counts_[b] ? counts_[a] > counts_[b] : a < b; });
    popular_.assign(candidates.begin(), middle);
}

double LabelPrior::frequency(Id label) const {
    return (static_cast<double>(counts_[label]) + 0.5) / (static_cast<double>(n_examples_) + 1.0);
}

float LabelPrior::log_inclusion(Id label, Index others, Index uniform) const {
    const double absent = static_cast<double>(others) * std::log1p(-frequency(label));
    const double missed = std::log1p(-1.0 / static_cast<double>(n_all_));  // by one draw
    const double undrawn = uniform > 0 ? static_cast<double>(uniform) * missed : 0.0;
    return static_cast<float>(std::log(-std::expm1(absent + undrawn)));
}

void ActiveSet::start(const std::vector<Id>& certain) {
    map_.clear();
    add(certain);
    n_certain_ = map_.size();
}

void ActiveSet::add_true_labels(std::span<const Index> begin, std::span<const Id> labels) {
    targets_.clear();
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (i + prefetched < labels.size()) map_.prefetch(labels[i + prefetched]);
        targets_.push_back(map_.insert(labels[i]));
    }
    target_begin_.assign(begin.begin(), begin.end());
}

void ActiveSet::add(const std::vector<Id>& labels) {
    for (const Id label : labels) map_.insert(label);
}

void ActiveSet::add_uniform(Index draws, Index n_labels, const CounterRng& rng) {
    const auto drawn = [&](Index i) { return static_cast<Id>(rng.below(static_cast<std::uint64_t>(i), n_labels)); };
    for (Index i = 0; i < draws; ++i) {
        map_.prefetch(drawn(i + static_cast<Index>(prefetched)));
        map_.insert(drawn(i));
    }
}

}  // namespace hashslide
