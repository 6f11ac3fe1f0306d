#include "linear/norm_sampler.h"

#include <algorithm>
#include <cmath>

namespace hashslide {
namespace {

// Bucket 0 holds the lengths from 2^16 up, bucket 63 those below 2^-15.
constexpr float first_octave = 16;

std::uint8_t bucket_of(float length, int n_buckets) {
    const float octaves = first_octave - std::log2(std::max(length, 0x1p-30f));
    return static_cast<std::uint8_t>(std::clamp(static_cast<int>(std::ceil(2.0f * octaves)), 0, n_buckets - 1));
}

}  // namespace

NormSampler::NormSampler(const LinearExamples& examples, std::span<const float> scores, double uniform_share)
    : MixedSampler(examples.n(), uniform_share), buckets_(n()), places_(n()), lengths_(n()) {
    for (int b = 0; b < n_buckets; ++b) bounds_[b] = std::exp2(first_octave - 0.5 * b);
    for (Index i = 0; i < n(); ++i) {
        lengths_[i] = examples.importance_of(i) * examples.length(i);
        insert(static_cast<Id>(i), bucket_of(std::abs(examples.slope(i, scores[i])) * lengths_[i], n_buckets));
    }
    weigh();
}

void NormSampler::insert(Id example, std::uint8_t bucket) {
    buckets_[example] = bucket;
    places_[example] = static_cast<Id>(members_[bucket].size());
    members_[bucket].push_back(example);
}

void NormSampler::remove(Id example) {
    std::vector<Id>& members = members_[buckets_[example]];
    const Id last = members.back();
    members[places_[example]] = last;
    places_[last] = places_[example];
    members.pop_back();
}

void NormSampler::observe(std::span<const Id> ids, std::span<const float> slopes) {
    for (std::size_t k = 0; k < ids.size(); ++k) {
        const std::uint8_t bucket = bucket_of(std::abs(slopes[k]) * lengths_[ids[k]], n_buckets);
        if (bucket == buckets_[ids[k]]) continue;
        remove(ids[k]);
        insert(ids[k], bucket);
    }
    weigh();
}

// Added up anew from whole numbers of members, so that no rounding errors gather.
void NormSampler::weigh() {
    double sum = 0;
    for (int b = 0; b < n_buckets; ++b) mass_[b] = sum += static_cast<double>(members_[b].size()) * bounds_[b];
}

Id NormSampler::draw_one(const CounterRng& rng, std::uint64_t counter) const {
    const double uniform = static_cast<double>(rng.bits(counter) >> 11) * 0x1p-53;
    const double at = std::min(uniform * mass_.back(), std::nextafter(mass_.back(), 0.0));
    const std::vector<Id>& members = members_[std::ranges::upper_bound(mass_, at) - mass_.begin()];
    return members[rng.below(counter + 1, std::ssize(members))];
}

double NormSampler::chance(Id example) const { return bounds_[buckets_[example]] / mass_.back(); }

}  // namespace hashslide
