// Examples in proportion to the length that their gradient had when it was last computed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "linear/example_sampler.h"
#include "linear/linear_examples.h"

namespace hashslide {

// A bucket for each half octave of lengths, so that q is proportional to the length but for a factor below sqrt(2). A
// draw chooses a bucket by its mass (members times length) and then a member; an example that has been seen moves to
// its new bucket. O(buckets) a batch, O(1) a draw; 13 bytes an example.
class NormSampler : public MixedSampler {
public:
    // scores: of all examples with the weights from which the training starts.
    NormSampler(const LinearExamples& examples, std::span<const float> scores, double uniform_share);
    void observe(std::span<const Id> ids, std::span<const float> slopes) override;

protected:
    Id draw_one(const CounterRng& rng, std::uint64_t counter) const override;
    double chance(Id example) const override;

private:
    static constexpr int n_buckets = 64;

    void weigh();
    void insert(Id example, std::uint8_t bucket);
    void remove(Id example);

    std::array<std::vector<Id>, n_buckets> members_;
    std::array<double, n_buckets> bounds_;  // the longest length of each
    std::array<double, n_buckets> mass_;    // of all buckets up to each, the first has the longest gradients
    std::vector<std::uint8_t> buckets_;     // of each example
    std::vector<Id> places_;                // of each example among the members of its bucket
    std::vector<float> lengths_;            // of each example's gradient for the slope 1
};

}  // namespace hashslide
