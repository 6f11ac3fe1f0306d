#include "linear/example_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace hashslide {

ShuffledPasses::ShuffledPasses(Index n) : order_(n) { std::iota(order_.begin(), order_.end(), 0); }

void ShuffledPasses::draw(const CounterRng& rng, std::span<Id> ids, std::span<float> weights) {
    const Index n = std::ssize(order_);
    for (std::size_t k = 0; k < ids.size(); ++k) {
        std::swap(order_[position_], order_[position_ + rng.below(k, n - position_)]);
        ids[k] = order_[position_];
        weights[k] = 1.0f;
        position_ = position_ + 1 < n ? position_ + 1 : 0;
    }
}

void MixedSampler::draw(const CounterRng& rng, std::span<Id> ids, std::span<float> weights) {
    const Index size = std::ssize(ids);
    const Index uniform = std::clamp<Index>(std::lround(uniform_share_ * static_cast<double>(size)), 1, size);
    const double share = static_cast<double>(uniform) / static_cast<double>(size);
    for (Index k = 0; k < size; ++k) {
        const std::uint64_t counter = 2 * static_cast<std::uint64_t>(k);
        ids[k] = k < uniform ? static_cast<Id>(rng.below(counter, n_)) : draw_one(rng, counter);
    }
    const double scale = (1.0 - share) * static_cast<double>(n_);
    for (Index k = 0; k < size; ++k) weights[k] = static_cast<float>(1.0 / (share + scale * chance(ids[k])));
}

std::vector<double> MixedSampler::chances() const {
    std::vector<double> out(n_);
    for (Index i = 0; i < n_; ++i) out[i] = chance(static_cast<Id>(i));
    return out;
}

}  // namespace hashslide
