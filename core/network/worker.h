// One worker's memory and its way through the steps of a batch (docs/how/training_step.md).
#pragma once

#include <array>
#include <span>
#include <vector>

#include "layers/model.h"
#include "network/network_config.h"
#include "output/example_products.h"
#include "sampling/active_set.h"
#include "sampling/example_sets.h"
#include "sampling/selector.h"

namespace hashslide {

enum class Stage { hidden_forward, active_set, output_forward, loss, output_backward, hidden_backward, rehash, count };
using StageSeconds = std::array<double, static_cast<int>(Stage::count)>;

struct StepStats {
    double loss;   // summed over the examples
    Index active;  // size of the active set; per example: their mean size
};

// One step: what it reads and updates, and its examples, which are a batch or one worker's part of it.
struct Step {
    const NetworkConfig& config;
    Model& model;
    const Selector& selector;  // of the output layer
    const LabelPrior& prior;
    const std::vector<float>& label_weight;  // empty: all 1
    const CsrInput& x;
    const CsrInput& y;
    std::span<const Index> rows;
    const float* sample_weight;  // one for each row of x, or null
    float rate;
    Index number;  // of the step, from 1
    std::uint64_t seed;

    Index size() const { return static_cast<Index>(rows.size()); }
};

class Worker {
public:
    Worker(const NetworkConfig& config, const HiddenStack& stack);

    StepStats train(const Step& step, int n_threads);

    std::span<const Id> touched_labels() const { return touched_; }  // of the last batch
    HiddenStack::Work& hidden() { return hidden_; }
    const StageSeconds& seconds() const { return seconds_; }
    double multiplications() const;

private:
    StepStats train_active_set(const Step& step, Activations& in, int n_threads);
    StepStats train_examples(const Step& step, Activations& in, int n_threads);
    Activations& output_inputs(Activations& hidden);
    void return_gradients(const Activations& in, Activations& hidden) const;
    void select(const Step& step, const Activations& in, int n_threads);
    static bool shares_labels(const NetworkConfig& config);
    void start_active_set(const Step& step);
    static float shift_of(const Step& step, Id label);
    void prior_shift(const Step& step, int n_threads);
    void leave_found_unshifted();
    const float* row_weights(const Step& step);
    double example_loss(const Step& step, int n_threads);
    void lap(Stage stage);

    BatchFeatures features_;
    HiddenStack::Work hidden_;
    Activations dense_in_;             // what the output layer sees, where the last hidden layer is sparse
    Selection true_labels_, sampled_;  // of each example
    Selection unshifted_;              // places of each example's labels that are certain for it alone
    ActiveSet active_;                 // per batch, or what the examples share
    OutputLayer::Work output_;
    ExampleSets sets_;  // per example
    ExampleProducts products_;
    std::vector<float> logits_, shift_, row_weight_;
    std::vector<Id> touched_;
    double multiplications_ = 0;
    StageSeconds seconds_{};
    double lap_start_ = 0;
};

}  // namespace hashslide
