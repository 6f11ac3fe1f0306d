// Labels of one example that may be among its k best, by bounds of their scores.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "base/best_k.h"

namespace hashslide {

// A label whose upper bound lies below the k-th best lower bound is out for certain. The bound is renewed, and what it
// excludes dropped, whenever `limit` labels have come together: O(1) a label on average. Where bounds drop too few, as
// among equal labels, scores do it, which are their own bounds: so the memory is O(k).
class Contenders {
public:
    struct Contender {
        float upper, lower;
        Id label;
    };

    explicit Contenders(Index k) : k_(static_cast<std::size_t>(k)) {}

    // Labels with upper bounds below it need not be offered.
    float threshold() const { return threshold_; }
    const std::vector<Contender>& all() const { return all_; }

    // score(labels, count) -> std::vector<Hit>.
    template <class Score>
    void offer(const Contender& contender, Score&& score) {
        all_.push_back(contender);
        if (all_.size() < 4 * k_ + 64) return;
        prune();
        if (all_.size() < 2 * k_ + 32) return;
        const std::vector<Hit> best = best_hits(score);
        all_.clear();
        for (const Hit& hit : best) all_.push_back({hit.score, hit.score, hit.label});
        prune();
    }

    // The k best by score, best first.
    template <class Score>
    std::vector<Hit> best_hits(Score&& score) {
        prune();
        std::vector<Id> labels;
        for (const Contender& c : all_) labels.push_back(c.label);
        std::vector<Hit> hits = score(labels);
        const auto last = hits.begin() + std::min(std::ssize(hits), static_cast<std::ptrdiff_t>(k_));
        std::partial_sort(hits.begin(), last, hits.end());
        hits.erase(last, hits.end());
        return hits;
    }

private:
    void prune() {
        if (all_.size() < k_) return;
        const auto kth = all_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
        std::nth_element(all_.begin(), kth, all_.end(), [](const auto& a, const auto& b) { return a.lower > b.lower; });
        threshold_ = std::max(threshold_, kth->lower);
        std::erase_if(all_, [&](const Contender& c) { return c.upper < threshold_; });
    }

    std::size_t k_;
    float threshold_ = std::numeric_limits<float>::lowest();
    std::vector<Contender> all_;
};

}  // namespace hashslide
