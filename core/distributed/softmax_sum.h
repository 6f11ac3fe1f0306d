// The partition function of a softmax whose labels lie in several shards.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/tree_sum.h"

namespace hashslide {

// Of one example and some labels. Single precision, as it travels, so that the sums have the same bits whoever makes
// them.
struct SoftmaxSum {
    float top = -std::numeric_limits<float>::infinity();  // the largest logit
    float total = 0;                                      // sum of exp(z - top)
    float weight = 0;                                     // sum of the weights of the true labels

    static constexpr Index n_floats = 3;
};

inline SoftmaxSum operator+(const SoftmaxSum& a, const SoftmaxSum& b) {
    if (a.total == 0 || b.total == 0) {
        const SoftmaxSum& filled = a.total == 0 ? b : a;
        return {filled.top, filled.total, a.weight + b.weight};
    }
    const float top = std::max(a.top, b.top);
    return {top, a.total * std::exp(a.top - top) + b.total * std::exp(b.top - top), a.weight + b.weight};
}

// Of the items first .. last - 1, in the order of tree_sum.
template <class Of>
SoftmaxSum tree_sum(Index first, Index last, Of&& of) {
    if (last - first == 1) return of(first);
    const Index middle = first + first_half(last - first);
    const SoftmaxSum left = tree_sum(first, middle, of);
    return left + tree_sum(middle, last, of);
}

}  // namespace hashslide
