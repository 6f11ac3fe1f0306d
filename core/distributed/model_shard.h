// One shard of a model: the input rows of some features and the output rows of some labels, numbered from 0, and its
// part of a training step on a batch that lies in many places.
#pragma once

#include <span>
#include <vector>

#include "distributed/softmax_sum.h"
#include "layers/input_layer.h"
#include "network/model_state.h"
#include "network/network_config.h"
#include "output/output_layer.h"
#include "sampling/active_set.h"
#include "sparse/batch_features.h"

namespace hashslide {

// What all shards know of the examples of a batch.
struct BatchRows {
    std::vector<Id> n_labels;        // true labels of each example, of all shards
    std::vector<char> has_features;  // whether it has any, in any shard
    std::vector<float> weight;       // of its loss

    Index size() const { return std::ssize(has_features); }
    void clear() {
        n_labels.clear();
        has_features.clear();
        weight.clear();
    }
};

class ModelShard {
public:
    // features, labels: ids of the rows in the whole model. Weights start as theirs.
    ModelShard(const NetworkConfig& config, std::vector<Id> features, std::vector<Id> labels);
    ModelShard(const ModelShard&) = delete;

    // counts: of each label of the shard among n_examples. popular: those of its labels that are in every active set.
    void set_label_prior(const Index* counts, Index n_examples, std::vector<Id> popular, bool reset_bias);
    void set_label_weight(const float* weight) { label_weight_.assign(weight, weight + output.n_labels()); }

    // A batch comes in row by row: its features and labels that belong to this shard.
    void start_batch();
    BatchFeatures& features() { return features_; }
    void add_label(Id label) { true_labels_.ids.push_back(label); }
    void end_example();
    // A uniform draw that hit a label of this shard.
    void add_draw(Id label) { draws_.push_back(label); }

    // The part of example b's pre-activations that comes from the features of this shard; false where it has none.
    bool add_up(Index b, float* z) const;
    // Steps 3 and 4. h: products that the activations of the batch have been given to. Then the logits are made
    // gradients: for binary cross-entropy at once, for softmax when all shards' sums are known.
    void compute_logits(const ActiveProducts& h, Index batch, int n_threads);
    void binary_gradients(const BatchRows& rows, int n_threads);
    void softmax_sums(const BatchRows& rows, int n_threads);
    const SoftmaxSum& softmax_sum(Index b) const { return sums_[b]; }
    void softmax_gradients(const BatchRows& rows, const SoftmaxSum* of_all, int n_threads);
    // Steps 6 and 7. dh: (last - first, width), set; false where nothing is active. dz (batch, width): dLoss/dz of the
    // hidden layer.
    bool backward(Index first, Index last, float* dh) const;
    void update_output(Index batch, float rate, Index step, int n_threads);
    void update_input(const float* dz, float rate, Index step, int n_threads) {
        input.update(features_, dz, rate, step, n_threads);
    }

    double loss() const { return loss_; }  // of the last batch, without what the partition function brings
    const LabelPrior& prior() const { return prior_; }
    const float* label_weight() const { return label_weight_.empty() ? nullptr : label_weight_.data(); }
    Index n_active() const { return active_.size(); }

    // The arrays of this shard.
    void visit_state(StateVisitor& visitor);

    const std::vector<Id> feature_ids, label_ids;  // of each row
    InputRows input;
    OutputLayer output;

private:
    float shift_of(Id label, Index batch) const;

    NetworkConfig config_;
    LabelPrior prior_;
    std::vector<Id> popular_;
    std::vector<float> label_weight_;  // empty: all 1

    BatchFeatures features_;
    Selection true_labels_;
    std::vector<Id> draws_;
    ActiveSet active_;
    OutputLayer::Work work_;
    std::vector<float> shift_, positive_weight_;
    std::vector<SoftmaxSum> sums_;
    double loss_ = 0;
};

}  // namespace hashslide
