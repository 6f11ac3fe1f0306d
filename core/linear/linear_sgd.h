// Stochastic gradient descent for linear models whose examples come from a sampler.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "linear/bucket_sampler.h"
#include "linear/example_sampler.h"
#include "linear/linear_examples.h"

namespace hashslide {

enum class ExampleSampling { lsh, gradient_norm, uniform };
enum class RateSchedule { adagrad, constant, invscaling };

struct LinearSgdConfig {
    ExampleSampling sampling = ExampleSampling::lsh;
    HashFamilyConfig family;
    double uniform_share = 0.5;
    RateSchedule schedule = RateSchedule::adagrad;
    double rate = 0.1;   // eta0
    double power = 0.5;  // invscaling: rate / step^power
    double alpha = 0;    // L2 penalty alpha / 2 |w|^2
    Index batch_size = 32;
    std::uint64_t seed = 0;
};

// What a training keeps besides its data: it goes on from there on the same or on other examples.
struct LinearModel {
    std::vector<float> weights, squares;  // of each coordinate, and of the intercept: the sum of its squared gradients
    Index steps = 0;                      // so far

    explicit LinearModel(Index width) : weights(width + 1), squares(width + 1) {}
    Index width() const { return std::ssize(weights) - 1; }
};

// Minimises the mean of importance * loss plus alpha / 2 |w|^2. A step costs O(entries of its batch), sparse; what the
// penalty shrinks meanwhile is caught up with when a coordinate is met again.
class LinearSgd {
public:
    LinearSgd(const LinearSgdConfig& config, const LinearExamples& examples, LinearModel& model, int n_threads);

    // One pass, so many steps as cover N examples. Returns the unbiased estimate of the mean loss from its draws, each
    // with the weights of its step, without the penalty.
    double run_epoch();

    // The examples that the next step would see and their weights, and a look-up for other weights, for
    // tests.
    void draw(Index step, std::span<Id> ids, std::span<float> weights);
    void follow(const float* weights, float intercept) { sampler_->follow(weights, intercept); }
    const ExampleSampler& sampler() const { return *sampler_; }
    Index follow_every() const { return follow_every_; }  // steps from one look-up of the buckets to the next

private:
    double step();
    void follow_if_due();
    float score(Index i) const;
    void meet_coordinates();
    void catch_up(Index j);
    void add_gradient(std::span<const float> factors);
    void update(Index first, Index last, double rate, double alpha);  // coordinates first .. last - 1

    LinearSgdConfig config_;
    LinearExamples examples_;
    LinearModel& model_;
    std::unique_ptr<ExampleSampler> sampler_;
    Index follow_every_ = 1, next_follow_ = 0;
    std::vector<Id> ids_;
    std::vector<float> importance_, slopes_, factors_;
    std::vector<float> gradient_;  // of each coordinate and the intercept; 0 between two steps
    std::vector<Id> met_;          // sparse: coordinates of the batch
    std::vector<bool> is_met_;     // sparse
    double shrinking_ = 0;         // sum of alpha times the rate of all steps
    std::vector<double> shrunk_;   // sparse, with a penalty: of each coordinate, up to which sum it has been shrunk
};

}  // namespace hashslide
