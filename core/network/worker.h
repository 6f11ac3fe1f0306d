// One worker's memory and its way through the steps of a batch (docs/how/training_step.md).
#pragma once

#include <array>
#include <span>
#include <vector>

#include "layers/direct_term.h"
#include "layers/example_products.h"
#include "layers/hidden_stack.h"
#include "layers/output_layer.h"
#include "sampling/active_set.h"
#include "sampling/example_sets.h"
#include "sampling/selector.h"

namespace hashslide {

enum class Stage {
    hidden_forward,
    active_set,
    output_forward,
    direct_forward,
    loss,
    output_backward,
    direct_backward,
    hidden_backward,
    rehash,
    count
};
using StageSeconds = std::array<double, static_cast<int>(Stage::count)>;

struct NetworkConfig;

// What a step reads and updates.
struct Model {
    const NetworkConfig& config;
    HiddenStack& hidden;
    OutputLayer& output;
    DirectTerm& direct;
    const Selector& selector;  // of the output layer
    const LabelPrior& prior;
    const std::vector<float>& label_weight;  // empty: all 1
};

struct StepStats {
    double loss;   // summed over the examples
    Index active;  // size of the active set; per example: their mean size
};

// The examples of one batch, or of one worker's part of it.
struct Batch {
    const CsrInput& x;
    const CsrInput& y;
    std::span<const Index> rows;
    const float* sample_weight;  // one for each row of x, or null
    float rate;
    Index step;
    std::uint64_t seed;

    Index size() const { return static_cast<Index>(rows.size()); }
};

class Worker {
public:
    explicit Worker(const Model& model);

    StepStats train(Model& model, const Batch& batch, int n_threads);

    std::span<const Id> touched_labels() const { return touched_; }  // of the last batch
    HiddenStack::Work& hidden() { return hidden_; }
    const StageSeconds& seconds() const { return seconds_; }
    double multiplications() const;

private:
    StepStats train_active_set(Model& model, const Batch& batch, Activations& head, int n_threads);
    StepStats train_examples(Model& model, const Batch& batch, Activations& head, int n_threads);
    Activations& copy_head(const Model& model, const Batch& batch);
    void return_gradients(const Model& model, const Batch& batch, Activations& head);
    void dropout(const Model& model, const Batch& batch, std::vector<float>& values) const;
    void select(const Model& model, const Batch& batch, const Activations& head, int n_threads);
    static bool shares_labels(const Model& model);
    void start_active_set(const Model& model, const Batch& batch);
    void prior_shift(const Model& model, Index batch, int n_threads);
    const float* row_weights(const Model& model, const Batch& batch);
    double example_loss(const Model& model, const Batch& batch, int n_threads);
    void lap(Stage stage);

    BatchFeatures features_;
    HiddenStack::Work hidden_;
    Activations head_;                 // dense copy of the last hidden layer's, where it is sparse or dropped
    Selection true_labels_, sampled_;  // of each example
    ActiveSet active_;                 // per batch, or what the examples share
    OutputLayer::Work output_;
    DirectTerm::Work direct_;
    ExampleSets sets_;  // per example
    ExampleProducts products_;
    std::vector<float> logits_, shift_, row_weight_;
    std::vector<Id> touched_;
    double multiplications_ = 0;
    StageSeconds seconds_{};
    double lap_start_ = 0;
};

}  // namespace hashslide
