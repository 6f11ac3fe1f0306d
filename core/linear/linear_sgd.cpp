#include "linear/linear_sgd.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/prefetch.h"
#include "linear/norm_sampler.h"

namespace hashslide {
namespace {

// Looking up may take so much of the multiplications of the steps.
constexpr double follow_effort = 0.1;
constexpr Index steps_between_polls = 64;
constexpr float least_squares = 1e-30f;  // no division by 0 before the first gradient

std::vector<float> scores_of(const LinearExamples& examples, const LinearModel& model, int n_threads) {
    std::vector<float> scores(examples.n());
    const WeightView weights{model.weights.data(), nullptr, model.width()};
    parallel_for(n_threads, 0, examples.n(), 1024, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) scores[i] = examples.x.dot(i, weights) + model.weights.back();
    });
    return scores;
}

std::unique_ptr<ExampleSampler> make_sampler(const LinearSgdConfig& config, const LinearExamples& examples,
                                             const LinearModel& model, int n_threads) {
    switch (config.sampling) {
        case ExampleSampling::lsh:
            return std::make_unique<BucketSampler>(examples, config.family, config.uniform_share, config.seed,
                                                   n_threads);
        case ExampleSampling::gradient_norm:
            return std::make_unique<NormSampler>(examples, scores_of(examples, model, n_threads), config.uniform_share);
        default:
            return std::make_unique<ShuffledPasses>(examples.n());
    }
}

}  // namespace

LinearSgd::LinearSgd(const LinearSgdConfig& config, const LinearExamples& examples, LinearModel& model, int n_threads)
    : config_(config),
      examples_(examples),
      model_(model),
      sampler_(make_sampler(config, examples, model, n_threads)),
      next_follow_(model.steps),
      ids_(config.batch_size),
      importance_(config.batch_size),
      slopes_(config.batch_size),
      factors_(config.batch_size),
      gradient_(model.weights.size()) {
    const Vectors& x = examples.x;
    if (x.sparse) is_met_.resize(model.width());
    if (x.sparse && config.alpha > 0) shrunk_.resize(model.width());
    const double entries = x.sparse ? static_cast<double>(x.begin[x.n] - x.begin[0]) : 1.0 * x.n * x.width;
    const double of_step = 2.0 * static_cast<double>(config.batch_size) * (1 + entries / static_cast<double>(x.n));
    follow_every_ = static_cast<Index>(std::ceil(sampler_->follow_cost() / (follow_effort * of_step)));
}

double LinearSgd::run_epoch() {
    const FlushDenormals flush;
    const Index steps = (examples_.n() + config_.batch_size - 1) / config_.batch_size;
    double loss = 0;
    for (Index s = 0; s < steps; ++s) {
        if (s % steps_between_polls == 0) poll();
        loss += step();
    }
    for (Index j = 0; j < std::ssize(shrunk_); ++j) catch_up(j);
    return loss / static_cast<double>(steps);
}

void LinearSgd::draw(Index step, std::span<Id> ids, std::span<float> weights) {
    sampler_->draw(CounterRng(config_.seed, Stream::examples, static_cast<std::uint64_t>(step)), ids, weights);
}

// Soon at the beginning, when the weights turn fast: after 1, 2, 4, ... steps.
void LinearSgd::follow_if_due() {
    if (follow_every_ == 0 || model_.steps < next_follow_) return;
    sampler_->follow(model_.weights.data(), model_.weights.back());
    next_follow_ = model_.steps + std::clamp<Index>(model_.steps, 1, follow_every_);
}

float LinearSgd::score(Index i) const {
    const WeightView weights{model_.weights.data(), nullptr, model_.width()};
    return examples_.x.dot(i, weights) + model_.weights.back();
}

double LinearSgd::step() {
    follow_if_due();
    draw(model_.steps, ids_, importance_);
    const Vectors& x = examples_.x;
    for (const Id i : ids_) hashslide::prefetch(x.values + examples_.first_entry(i));
    ++model_.steps;
    const double decay = config_.schedule == RateSchedule::invscaling
                             ? std::pow(static_cast<double>(model_.steps), -config_.power)
                             : 1.0;
    const double rate = config_.rate * decay;
    if (x.sparse) meet_coordinates();
    double loss = 0;
    for (Index k = 0; k < config_.batch_size; ++k) {
        const Id i = ids_[k];
        const float z = score(i), weight = importance_[k] * examples_.importance_of(i);
        slopes_[k] = examples_.slope(i, z);
        factors_[k] = weight * slopes_[k] / static_cast<float>(config_.batch_size);
        loss += static_cast<double>(weight) * examples_.loss_of(i, z);
    }
    sampler_->observe(ids_, slopes_);
    add_gradient(factors_);
    shrinking_ += config_.alpha * rate;
    if (x.sparse)
        for (const Id j : met_) update(j, j + 1, rate, config_.alpha);
    else
        update(0, x.width, rate, config_.alpha);
    for (const Id j : shrunk_.empty() ? std::span<const Id>() : met_) shrunk_[j] = shrinking_;
    if (examples_.intercept) update(x.width, x.width + 1, rate, 0);
    return loss / static_cast<double>(config_.batch_size);
}

void LinearSgd::meet_coordinates() {
    const Vectors& x = examples_.x;
    met_.clear();
    for (const Id i : ids_)
        for (Index e = x.begin[i]; e < x.begin[i + 1]; ++e) {
            const Id j = x.ids[e];
            if (is_met_[j]) continue;
            is_met_[j] = true;
            met_.push_back(j);
        }
    for (const Id j : met_) is_met_[j] = false;
    if (!shrunk_.empty())
        for (const Id j : met_) catch_up(j);
}

// Adagrad's rates are constant while a coordinate has no gradient, so that the sum of alpha times rate is that of all
// steps times its own factor. Backward Euler: w / (1 + sum), stable for any sum.
void LinearSgd::catch_up(Index j) {
    const bool own_rates = config_.schedule == RateSchedule::adagrad;
    const double own = own_rates ? 1.0 / std::sqrt(model_.squares[j] + least_squares) : 1.0;
    const double missed = (shrinking_ - shrunk_[j]) * own;
    model_.weights[j] = static_cast<float>(model_.weights[j] / (1.0 + missed));
    shrunk_[j] = shrinking_;
}

void LinearSgd::add_gradient(std::span<const float> factors) {
    const Vectors& x = examples_.x;
    for (const float factor : factors) gradient_.back() += factor;
    if (!x.sparse) {
        kernels().weighted_sum(std::ssize(ids_), ids_.data(), factors.data(), x.width, x.values, gradient_.data());
        return;
    }
    for (std::size_t k = 0; k < ids_.size(); ++k)
        for (Index e = x.begin[ids_[k]]; e < x.begin[ids_[k] + 1]; ++e) gradient_[x.ids[e]] += factors[k] * x.values[e];
}

void LinearSgd::update(Index first, Index last, double rate, double alpha) {
    const auto own_rates = config_.schedule == RateSchedule::adagrad;
    float *w = model_.weights.data(), *squares = model_.squares.data(), *gradient = gradient_.data();
    for (Index j = first; j < last; ++j) {
        squares[j] += gradient[j] * gradient[j];
        const float own = static_cast<float>(rate) * (own_rates ? 1.0f / std::sqrt(squares[j] + least_squares) : 1.0f);
        w[j] = (w[j] - own * gradient[j]) / (1.0f + static_cast<float>(alpha) * own);
        gradient[j] = 0.0f;
    }
}

}  // namespace hashslide
