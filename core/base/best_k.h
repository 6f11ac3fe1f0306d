// The k best of a stream of scored labels.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "base/types.h"

namespace hashslide {

// Ordered best first: higher score, then smaller id; so a result never depends on how the labels were split up.
struct Hit {
    float score;
    Id label;
    bool operator<(const Hit& other) const { return score != other.score ? score > other.score : label < other.label; }
};

// NaN has no order, and sorting by it is undefined behaviour: it counts as the least number.
template <class T>
T ordered(T x) {
    return x == x ? x : -std::numeric_limits<T>::infinity();
}

inline Hit ranked(float score, Id label) { return {ordered(score), label}; }

// A heap with the worst of the k on top: O(log k) for an improvement, O(1) otherwise.
class BestK {
public:
    explicit BestK(Index k) : k_(static_cast<std::size_t>(k)) {}

    bool full() const { return hits_.size() == k_; }
    const Hit& worst() const { return hits_.front(); }
    const std::vector<Hit>& hits() const { return hits_; }

    void offer(Hit hit) {
        hit = ranked(hit.score, hit.label);
        if (!full()) {
            hits_.push_back(hit);
            std::push_heap(hits_.begin(), hits_.end());
        } else if (hit < worst()) {
            std::pop_heap(hits_.begin(), hits_.end());
            hits_.back() = hit;
            std::push_heap(hits_.begin(), hits_.end());
        }
    }
    void offer(const std::vector<Hit>& hits) {
        for (const Hit& hit : hits) offer(hit);
    }
    std::vector<Hit> sorted() && {
        std::sort_heap(hits_.begin(), hits_.end());
        return std::move(hits_);
    }

private:
    std::size_t k_;
    std::vector<Hit> hits_;
};

}  // namespace hashslide
