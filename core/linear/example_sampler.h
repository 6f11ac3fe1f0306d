// Which examples a step of stochastic gradient descent sees, and by what their gradients are multiplied so that the
// expectation is the gradient of all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "base/types.h"

namespace hashslide {

class ExampleSampler {
public:
    virtual ~ExampleSampler() = default;
    // ids.size() examples; weights: 1 / (N P), P the chance of the example in a draw.
    virtual void draw(const CounterRng& rng, std::span<Id> ids, std::span<float> weights) = 0;
    // The slopes of the loss (LinearExamples::slope) that were computed for the examples drawn last.
    virtual void observe(std::span<const Id> /*ids*/, std::span<const float> /*slopes*/) {}
    // The weights (width,) and the intercept have moved.
    virtual void follow(const float* /*weights*/, float /*intercept*/) {}
    // Operations of a follow(); 0: it does nothing.
    virtual double follow_cost() const { return 0; }
};

// Pass after pass, each in a new random order, which has a lower variance than independent draws. One exchange of
// Fisher and Yates a draw, so that no step shuffles all.
class ShuffledPasses : public ExampleSampler {
public:
    explicit ShuffledPasses(Index n);
    void draw(const CounterRng& rng, std::span<Id> ids, std::span<float> weights) override;

private:
    std::vector<Id> order_;
    Index position_ = 0;
};

// Some draws of a batch are uniform, the others come from a distribution q that favours large gradients. Whatever the
// origin of an example, its weight is 1 / (N P) with P = share / N + (1 - share) q, the balance heuristic (Veach &
// Guibas 1995), where `share` is that of the uniform draws. So the estimate is unbiased given q, no weight exceeds
// 1 / share, and its second moment is at most 1 / share times that of uniform draws.
class MixedSampler : public ExampleSampler {
public:
    // uniform_share: rounded to whole draws of a batch, at least one.
    MixedSampler(Index n, double uniform_share) : n_(n), uniform_share_(uniform_share) {}
    void draw(const CounterRng& rng, std::span<Id> ids, std::span<float> weights) final;

    std::vector<double> chances() const;  // q of all, for tests and measurements

protected:
    Index n() const { return n_; }
    virtual Id draw_one(const CounterRng& rng, std::uint64_t counter) const = 0;  // uses two counters
    virtual double chance(Id example) const = 0;                                  // q

private:
    Index n_;
    double uniform_share_;
};

}  // namespace hashslide
