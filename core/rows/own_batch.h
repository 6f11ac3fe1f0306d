// One machine's own batch in the protocol `rows`: first which rows of the model it touches, and then, on copies of
// these rows, its loss and their gradients. It is the step of worker.h without the updates, with the same bits.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "rows/compact_ids.h"
#include "network/network_config.h"
#include "output/active_products.h"
#include "sampling/active_set.h"
#include "sparse/activations.h"
#include "sparse/batch_features.h"

namespace hashslide {

// Copies of the touched rows, in the order of OwnBatch::features() and labels().
struct FetchedRows {
    WeightView input;           // (features, hidden)
    const float* hidden_bias;   // (hidden,)
    WeightView output;          // (labels, hidden)
    const float* output_bias;   // (labels,)
    const Index* counts;        // (labels,): how often each occurs among the examples
    const float* label_weight;  // (labels,), or null
};

// Of the same shapes; overwritten.
struct RowGradients {
    float* input;
    float* hidden_bias;
    float* output;
    float* output_bias;
};

// Of the examples of the whole training.
struct LabelFacts {
    Index n_examples;
    float mean_labels;
};

class OwnBatch {
public:
    // One dense hidden layer and one active set for the batch.
    explicit OwnBatch(const NetworkConfig& config) : config_(config) {}
    const NetworkConfig& config() const { return config_; }

    // seed: of this machine's draws. number: of the step, from 1. Without examples it touches nothing.
    // O(entries of the rows + popular + uniform).
    void start(const CsrInput& x, const CsrInput& y, std::span<const Index> rows, std::span<const Id> popular,
               std::uint64_t seed, Index number);

    Index size() const { return n_; }
    const std::vector<Id>& features() const { return feature_ids_.ids(); }
    const std::vector<Id>& labels() const { return label_ids_.ids(); }

    // n_together: examples of the batch that this one is a part of. sample_weight: one for each example of the batch,
    // or null. Returns the summed loss.
    double gradients(const FetchedRows& rows, const LabelFacts& facts, Index n_together, const float* sample_weight,
                     const RowGradients& out, int n_threads);

private:
    void gather_features(const CsrInput& x, std::span<const Index> rows, const CounterRng& dropout);
    void gather_labels(const CsrInput& y, std::span<const Index> rows, std::span<const Id> popular,
                       const CounterRng& draws);
    void forward(const FetchedRows& rows, int n_threads);
    double loss(const FetchedRows& rows, const LabelFacts& facts, Index n_together, const float* sample_weight,
                int n_threads);
    void correct(const FetchedRows& rows, const LabelFacts& facts, Index n_together);
    double weigh_negatives(const std::vector<float>& of_rows, int n_threads);
    void backward_output(const RowGradients& out, int n_threads);
    void backward_input(const RowGradients& out, int n_threads);

    const NetworkConfig config_;
    Index n_ = 0;
    BatchFeatures features_;  // by compact ids
    CompactIds feature_ids_, label_ids_;
    ActiveSet active_;  // by compact ids
    Activations hidden_;
    std::unique_ptr<ActiveProducts> products_;
    std::vector<float> logits_;          // (batch, active): logits, then their gradients
    std::vector<float> shift_, weight_;  // of the active labels
};

}  // namespace hashslide
