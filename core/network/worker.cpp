#include "network/worker.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "base/parallel.h"
#include "simd/kernels.h"

namespace hashslide {

Worker::Worker(const NetworkConfig& config, const HiddenStack& stack)
    : features_(config.n_features),
      hidden_(stack),
      active_(config.n_labels),
      products_(config.active.per_example ? config.n_labels : 0) {}

double Worker::multiplications() const {
    return multiplications_ + hidden_.total_multiplications() + products_.multiplications;
}

StepStats Worker::train(const Step& step, int n_threads) {
    const NetworkConfig& config = step.config;
    lap_start_ = now();
    features_.gather(step.x, step.rows.data(), step.size(), config.input_scale, config.input_dropout,
                     CounterRng(step.seed, Stream::input_dropout, step.number));
    ExampleSets::true_labels(step.y, step.rows.data(), step.size(), true_labels_);
    Activations& hidden = step.model.hidden.forward(features_, hidden_, step.seed, step.number, n_threads);
    Activations& in = output_inputs(hidden);
    lap(Stage::hidden_forward);

    const StepStats stats =
        config.active.per_example ? train_examples(step, in, n_threads) : train_active_set(step, in, n_threads);
    return_gradients(in, hidden);
    step.model.hidden.backward_and_update(features_, hidden_, step.seed, step.rate, step.number, n_threads);
    lap(Stage::hidden_backward);
    return stats;
}

StepStats Worker::train_active_set(const Step& step, Activations& in, int n_threads) {
    const Index n = step.size();
    start_active_set(step);
    select(step, in, n_threads);
    active_.add(sampled_.ids);
    prior_shift(step, n_threads);
    leave_found_unshifted();
    lap(Stage::active_set);

    step.model.output.forward(active_, in.values.data(), n, output_, n_threads);
    lap(Stage::output_forward);

    const double loss =
        active_set_loss(step.config.loss, active_, n, output_.logits.data(), shift_.data(), unshifted_,
                        row_weights(step), step.label_weight.empty() ? nullptr : step.label_weight.data(), n_threads);
    lap(Stage::loss);

    step.model.output.backward_and_update(active_, n, output_, in.gradients.data(), step.rate, step.number, n_threads);
    multiplications_ += 3.0 * static_cast<double>(n) * static_cast<double>(active_.size() * in.width);
    lap(Stage::output_backward);

    touched_.assign(active_.ids().begin(), active_.ids().end());
    return {loss, active_.size()};
}

StepStats Worker::train_examples(const Step& step, Activations& in, int n_threads) {
    const Index n = step.size();
    start_active_set(step);
    select(step, in, n_threads);
    sets_.build(true_labels_, sampled_, active_);
    products_.set(sets_.own().begin, sets_.own().ids);
    prior_shift(step, n_threads);
    lap(Stage::active_set);

    step.model.output.forward(active_, in.values.data(), n, output_, n_threads);
    logits_.resize(sets_.own().ids.size());
    products_.forward(step.model.output, in, logits_.data(), n_threads);
    lap(Stage::output_forward);

    const double loss = example_loss(step, n_threads);
    lap(Stage::loss);

    step.model.output.backward_and_update(active_, n, output_, in.gradients.data(), step.rate, step.number, n_threads);
    products_.backward_and_update(step.model.output, in, true, logits_.data(), step.rate, step.number, n_threads);
    multiplications_ += 3.0 * static_cast<double>(n) * static_cast<double>(active_.size() * in.width);
    lap(Stage::output_backward);
    touched_ = products_.touched();
    touched_.insert(touched_.end(), active_.ids().begin(), active_.ids().end());
    return {loss, active_.size() + static_cast<Index>(logits_.size()) / n};
}

// The activations that the output layer sees: those of the last hidden layer, as they are if all its units are active;
// otherwise a dense copy.
Activations& Worker::output_inputs(Activations& hidden) {
    if (!hidden.sparse) return hidden;
    dense_in_.resize_dense(hidden.n, hidden.width);
    hidden.view().copy(dense_in_.values.data());
    return dense_in_;
}

void Worker::return_gradients(const Activations& in, Activations& hidden) const {
    if (&in == &hidden) return;
    hidden.gradients.resize(hidden.entries());
    for (Index b = 0; b < hidden.n; ++b)
        for (Index e = hidden.begin[b]; e < hidden.begin[b + 1]; ++e)
            hidden.gradients[e] = in.gradients[b * hidden.width + hidden.ids[e]];
}

// What the sampler finds for each example; nothing without a sampler.
void Worker::select(const Step& step, const Activations& in, int n_threads) {
    sampled_.begin.clear();
    sampled_.ids.clear();
    if (step.config.samples_labels())
        step.selector.select(step.model.output.view(), in, &true_labels_,
                             CounterRng(step.seed, Stream::sampler, step.number), sampled_, n_threads);
    multiplications_ += sampled_.multiplications;
}

void Worker::start_active_set(const Step& step) {
    active_.start(step.prior.popular());
    if (shares_labels(step.config)) active_.add_true_labels(true_labels_.begin, true_labels_.ids);
    active_.add_uniform(step.config.active.uniform, step.config.n_labels,
                        CounterRng(step.seed, Stream::uniform_negatives, step.number));
}

bool Worker::shares_labels(const NetworkConfig& config) { return !config.active.per_example || config.active.in_batch; }

// log r of a label that is neither popular nor found, times prior_correction, with r its chance to be in the set of an
// example that does not carry it: from the labels of the other examples and the uniform draws. Where neither brings any
// labels, none is there by chance, and nothing is corrected.
float Worker::shift_of(const Step& step, Id label) {
    const NetworkConfig& config = step.config;
    const Index others = shares_labels(config) ? step.size() - 1 : 0, uniform = config.active.uniform;
    if (config.prior_correction == 0 || (others == 0 && uniform == 0)) return 0.0f;
    return config.prior_correction * step.prior.log_inclusion(label, others, uniform);
}

void Worker::prior_shift(const Step& step, int n_threads) {
    shift_.assign(active_.size(), 0.0f);
    if (step.config.prior_correction == 0) return;
    parallel_for(n_threads, active_.n_certain(), active_.size(), 512, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) step.prior.prefetch(active_.ids()[i]);
        for (Index i = first; i < last; ++i) shift_[i] = shift_of(step, active_.ids()[i]);
    });
}

// Given what was found for the examples of a batch, those labels are certain to be in its set, and the others are there
// by chance: so Z is estimated without bias, whatever finds them, up to 1 / (e (batch - 1)) of it, because a label that
// was found for no example is a little more likely to be a true one. A true label that its own example would have found
// is certain for that example alone.
void Worker::leave_found_unshifted() {
    unshifted_.begin.assign(1, 0);
    unshifted_.ids.clear();
    for (Index b = 0; b < sampled_.n(); ++b) {
        const std::span<const Id> own = true_labels_.of(b);
        for (const Id label : sampled_.of(b)) {
            const Id place = active_.position(label);
            if (std::binary_search(own.begin(), own.end(), label))
                unshifted_.ids.push_back(place);
            else
                shift_[place] = 0.0f;
        }
        unshifted_.begin.push_back(static_cast<Index>(unshifted_.ids.size()));
    }
}

// Null where all weights are 1.
const float* Worker::row_weights(const Step& step) {
    const float power = step.config.example_power;
    if (!step.sample_weight && power == 0) return nullptr;
    row_weight_.clear();
    for (Index b = 0; b < step.size(); ++b) {
        const Index labels = true_labels_.begin[b + 1] - true_labels_.begin[b];
        const float n = static_cast<float>(std::max<Index>(1, labels));
        const float by_labels = power == 0 ? 1.0f : std::pow(step.prior.mean_labels() / n, power);
        row_weight_.push_back((step.sample_weight ? step.sample_weight[step.rows[b]] : 1.0f) * by_labels);
    }
    return row_weight_.data();
}

// Step 5 for sets of the examples' own: their logits, shared and own side by side, become gradients.
double Worker::example_loss(const Step& step, int n_threads) {
    const Selection& own = sets_.own();
    const float* weights = row_weights(step);
    const Index shared = active_.size();
    std::vector<double> losses(step.size());
    parallel_for(n_threads, 0, step.size(), 8, [&](Index first, Index last) {
        std::vector<float> row, shift, positive_weight;
        for (Index b = first; b < last; ++b) {
            float* shared_logits = output_.logits.data() + b * shared;
            float* own_logits = logits_.data() + own.begin[b];
            const Index n_own = own.begin[b + 1] - own.begin[b];
            row.assign(shared_logits, shared_logits + shared);
            row.insert(row.end(), own_logits, own_logits + n_own);
            shift.assign(shift_.begin(), shift_.end());
            shift.resize(row.size(), 0.0f);
            const std::span<const Id> targets = sets_.targets(b), labels = true_labels_.of(b);
            for (std::size_t i = 0; i < targets.size(); ++i)
                if (targets[i] >= shared) shift[targets[i]] = shift_of(step, labels[i]);
            for (const Id place : sets_.found(b)) shift[place] = 0.0f;
            positive_weight.assign(step.label_weight.empty() ? 0 : row.size(), 0.0f);
            for (std::size_t i = 0; i < targets.size() && !positive_weight.empty(); ++i)
                positive_weight[targets[i]] = step.label_weight[labels[i]];
            losses[b] = loss_and_gradient(step.config.loss, static_cast<Index>(row.size()), row.data(), shift.data(),
                                          targets, positive_weight.empty() ? nullptr : positive_weight.data(),
                                          weights ? weights[b] : 1.0f);
            std::copy_n(row.data(), shared, shared_logits);
            std::copy_n(row.data() + shared, n_own, own_logits);
        }
    });
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

void Worker::lap(Stage stage) {
    const double t = now();
    seconds_[static_cast<int>(stage)] += t - lap_start_;
    lap_start_ = t;
}

}  // namespace hashslide
