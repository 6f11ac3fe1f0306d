#include "network.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "parallel.h"
#include "simd/kernels.h"
#include "topk.h"

namespace hashslide {
namespace {

// Up to this many rows, reading the weights costs more than the arithmetic, and the 8-bit screen wins.
constexpr Index screened_rows = 4;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

Network::Network(const NetworkConfig& config, bool initialise)
    : config_(config),
      input_(config.n_features, config.hidden, config.activation, config.hidden_length,
             initialise ? config.input_init : 0.0f, config.optimizer, config.seed),
      output_(config.n_labels, config.hidden, config.optimizer),
      direct_(config.direct, config.n_features),
      prior_(config.n_labels),
      hard_negatives_(config.hard, config.n_labels, config.hidden, config.seed),
      active_(config.n_labels),
      features_(config.n_features) {}

StepStats Network::train_batch(const CsrView& x, const CsrView& y, std::span<const Index> rows,
                               const float* sample_weight, float rate, int n_threads) {
    const FlushDenormals flush;
    const Index batch = static_cast<Index>(rows.size());
    if (batch == 0) return {0.0, 0};
    // Gradients are sums over the batch; the adaptive optimisers do not see the factor, plain SGD takes the mean.
    const float mean_rate = config_.optimizer.kind == OptimizerKind::sgd ? rate / static_cast<float>(batch) : rate;
    own_arrays();
    drop_screen();
    ++step;
    lap_start_ = now();

    features_.gather(x, rows.data(), batch, config_.input_scale, config_.input_dropout,
                     CounterRng(config_.seed, Stream::input_dropout, step));
    hidden_.resize(batch * config_.hidden);
    hidden_gradient_.resize(batch * config_.hidden);
    input_.forward(features_, hidden_.data(), n_threads);
    const float* h = hidden_.data();
    if (config_.hidden_dropout > 0) {
        dropped_ = hidden_;
        hidden_dropout(batch, dropped_.data());
        h = dropped_.data();
    }
    lap(Stage::input_forward);

    build_active_set(y, rows, h, n_threads);
    prior_shift(batch, n_threads);
    lap(Stage::active_set);

    output_.forward(active_, h, batch, n_threads);
    lap(Stage::output_forward);

    if (direct_.enabled()) direct_.forward(features_, active_, output_.logits(), n_threads);
    lap(Stage::direct_forward);

    const double loss = output_.loss(config_.loss, active_, batch, shift_.data(), row_weights(y, rows, sample_weight),
                                     label_weight_.empty() ? nullptr : label_weight_.data(), n_threads);
    lap(Stage::loss);

    output_.backward_and_update(active_, h, batch, hidden_gradient_.data(), mean_rate, step, n_threads);
    lap(Stage::output_backward);

    if (direct_.enabled()) direct_.backward_and_update(features_, active_, output_.logits(), mean_rate, n_threads);
    lap(Stage::direct_backward);

    hidden_dropout(batch, hidden_gradient_.data());
    input_.backward(features_, hidden_.data(), hidden_gradient_.data(), mean_rate, step, n_threads);
    lap(Stage::input_backward);

    if (hard_negatives_.enabled()) hard_negatives_.rehash(active_, output_, step, n_threads);
    lap(Stage::rehash);
    return {loss, active_.size()};
}

void Network::build_active_set(const CsrView& y, std::span<const Index> rows, const float* h, int n_threads) {
    active_.start(prior_.popular());
    active_.add_true_labels(y, rows.data(), static_cast<Index>(rows.size()));
    active_.add_uniform(config_.active.uniform, config_.n_labels,
                        CounterRng(config_.seed, Stream::uniform_negatives, step));
    if (hard_negatives_.enabled())
        hard_negatives_.add_to(active_, output_, h, static_cast<Index>(rows.size()), n_threads);
}

// log r of each active label, times prior_correction; 0 for those that are in every set.
void Network::prior_shift(Index batch, int n_threads) {
    shift_.assign(active_.size(), 0.0f);
    if (config_.prior_correction == 0) return;
    parallel_for(n_threads, active_.n_certain(), active_.size(), 512, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            shift_[i] =
                config_.prior_correction * prior_.log_inclusion(active_.ids()[i], batch, config_.active.uniform);
    });
}

// Null where all weights are 1.
const float* Network::row_weights(const CsrView& y, std::span<const Index> rows, const float* sample_weight) {
    if (!sample_weight && config_.example_power == 0) return nullptr;
    row_weight_.clear();
    for (const Index row : rows) {
        const float n = static_cast<float>(std::max<std::size_t>(1, y.ids(row).size()));
        const float by_labels =
            config_.example_power == 0 ? 1.0f : std::pow(prior_.mean_labels() / n, config_.example_power);
        row_weight_.push_back((sample_weight ? sample_weight[row] : 1.0f) * by_labels);
    }
    return row_weight_.data();
}

// The same mask for the activations and for their gradients, drawn again from the counter instead of stored.
void Network::hidden_dropout(Index batch, float* values) const {
    if (config_.hidden_dropout == 0) return;
    const CounterRng rng(config_.seed, Stream::hidden_dropout, step);
    const float keep = 1.0f / (1.0f - config_.hidden_dropout);
    for (Index i = 0; i < batch * config_.hidden; ++i)
        values[i] *= rng.uniform(static_cast<std::uint64_t>(i)) < config_.hidden_dropout ? 0.0f : keep;
}

void Network::lap(Stage stage) {
    const double t = now();
    seconds_[static_cast<int>(stage)] += t - lap_start_;
    lap_start_ = t;
}

void Network::predict_topk(const CsrView& x, Index k, std::int64_t* labels, float* scores, int n_threads) const {
    const FlushDenormals flush;
    std::vector<float> values;
    const CsrView features = scaled(x, values);
    if (x.n_rows <= screened_rows)
        screened_topk(input_, output_, direct_, *screen(n_threads), features, k, labels, scores, n_threads);
    else
        exact_topk(input_, output_, direct_, features, k, labels, scores, n_threads);
}

// x with its values times input_scale, kept in `values`.
CsrView Network::scaled(const CsrView& x, std::vector<float>& values) const {
    if (config_.input_scale == 1.0f) return x;
    values.assign(x.data, x.data + x.indptr[x.n_rows]);
    kernels().scale(static_cast<Index>(values.size()), config_.input_scale, values.data());
    return {x.indptr, x.indices, values.data(), x.n_rows};
}

void Network::drop_screen() {
    const std::lock_guard lock(screen_mutex_);
    screen_.reset();
}

std::shared_ptr<const Screen> Network::screen(int n_threads) const {
    const std::lock_guard lock(screen_mutex_);
    if (!screen_) screen_ = std::make_shared<const Screen>(output_, config_.hidden, n_threads);
    return screen_;
}

void Network::logits(const CsrView& x, float* out, int n_threads) const {
    const FlushDenormals flush;
    std::vector<float> values;
    all_logits(input_, output_, direct_, scaled(x, values), out, n_threads);
}

void Network::set_label_prior(const Index* counts, Index n_examples, bool reset_bias) {
    prior_.set(counts, n_examples, config_.active.popular);
    if (!reset_bias) return;
    own_arrays();
    drop_screen();
    for (Index label = 0; label < config_.n_labels; ++label) {
        const double f = prior_.frequency(static_cast<Id>(label));
        output_.bias[label] = static_cast<float>(config_.loss == LossKind::bce ? std::log(f / (1.0 - f)) : std::log(f));
    }
}

void Network::set_label_weight(const float* weight) { label_weight_.assign(weight, weight + config_.n_labels); }

void Network::choose_direct_pairs(const CsrView& x, const CsrView& y, int n_threads) {
    direct_.choose_pairs(x, y, prior_.counts(), n_threads);
    drop_screen();
}

void Network::grow(Index n_features, Index n_labels) {
    drop_screen();
    if (n_features > config_.n_features) {
        input_.grow(n_features);
        direct_.grow(n_features);
        features_.grow(n_features);
    }
    if (n_labels > config_.n_labels) {
        output_.grow(n_labels);
        prior_.grow(n_labels);
        active_.grow(n_labels);
        hard_negatives_.grow(n_labels);
        if (!label_weight_.empty()) label_weight_.resize(n_labels, 1.0f);
    }
    config_.n_features = std::max(config_.n_features, n_features);
    config_.n_labels = std::max(config_.n_labels, n_labels);
}

std::vector<Network::NamedArray> Network::arrays() {
    const Index d = config_.n_features, l = config_.n_labels, h = config_.hidden;
    std::vector<NamedArray> all{{"input.weight", &input_.weight, d, h, false},
                                {"input.bias", &input_.bias, h, 0, false},
                                {"output.weight", &output_.weight, l, h, false},
                                {"output.bias", &output_.bias, l, 0, false}};
    const auto add = [&all](const std::string& of, Optimizer& optimizer, Index rows) {
        for (const Optimizer::NamedArray& a : optimizer.arrays())
            all.push_back({of + "." + a.name, a.array, rows, a.width == 1 ? 0 : a.width, true});
    };
    add("input.weight", input_.weight_optimizer, d);
    add("input.bias", input_.bias_optimizer, 1);
    add("output.weight", output_.weight_optimizer, l);
    add("output.bias", output_.bias_optimizer, l);
    return all;
}

void Network::own_arrays() {
    for (const NamedArray& a : arrays()) a.array->own();
    direct_.weight.own();
    direct_.accumulator.own();
}

}  // namespace hashslide
