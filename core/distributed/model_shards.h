// The shards of one rank and its part of a step of the protocol "activations": examples are split among the ranks, rows
// of weights too. Between two of its phases the ranks exchange what the first one returns. All results have the same
// bits for any number of ranks (tree_sum.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "distributed/batch_message.h"
#include "distributed/model_shard.h"
#include "network/worker.h"

namespace hashslide {

class ModelShards {
public:
    // places: as long as this lives. features, labels: ids of the rows of each owned shard.
    // activates_all: every rank activates all examples instead of its own.
    ModelShards(const NetworkConfig& config, const Places& places, Index rank, bool activates_all,
                std::vector<std::vector<Id>> features, std::vector<std::vector<Id>> labels);

    // --- A step, phase by phase. Arrays are (examples, width) and stay as they are until the next step.

    // What the other ranks need to know of this rank's examples of a step, which is `ahead` steps after the next one;
    // one message for each rank.
    std::vector<std::vector<Id>> write(const CsrInput& x, const CsrInput& y, std::span<const Index> rows,
                                       const float* sample_weight, Index ahead) const;
    // messages: of each rank to this one. Returns this rank's part of the pre-activations of all examples, rank by rank.
    std::span<float> add_up(std::span<const std::span<const Id>> messages, int n_threads);
    // How many examples of the batch each rank has.
    const std::vector<Index>& examples_of() const { return examples_of_; }
    // parts: the pre-activations of the examples that this rank activates, of each rank. Returns their activations.
    std::span<float> activate(std::span<const float* const> parts, int n_threads);
    // parts: the activations of all examples, one run of them after the other. Computes logits; for binary cross-entropy,
    // their gradients.
    void score(std::span<const std::span<const float>> parts, int n_threads);
    // For softmax: this rank's sums for all examples, (examples, SoftmaxSum::n_floats), and from those of all ranks on to
    // the gradients.
    std::span<float> softmax_sums() { return {sums_.data(), sums_.size()}; }
    void normalise(std::span<const float* const> sums, int n_threads);
    // This rank's part of the gradients of the activations of all examples.
    std::span<float> backward(int n_threads);
    void update_output(float rate, int n_threads);
    // parts: of the examples that this rank activates, of each rank. Returns the gradients of their pre-activations.
    std::span<float> backward_hidden(std::span<const float* const> parts, int n_threads);
    // What this rank has to say of the loss of its shards, after score() and normalise().
    std::vector<double> report() const;
    // parts: the gradients of the pre-activations of all examples. The step is done.
    void update_input(std::span<const std::span<const float>> parts, float rate, int n_threads);
    // Of the reports of all ranks.
    StepStats stats(std::span<const std::span<const double>> reports) const;

    // --- A prediction: every rank has all rows of x, as if rank r had read examples_of[r] of them.

    std::span<float> add_up(const CsrInput& x, std::span<const Index> examples_of, int n_threads);
    void gather(std::span<const std::span<const float>> parts) { h_ = joined(parts, gathered_); }
    // The k best labels of the owned shards for each row, best first, once the activations are gathered: (rows, k); -1
    // and -infinity where there are fewer.
    void best_labels(Index k, std::int64_t* labels, float* scores, int n_threads) const;

    // The examples first .. last - 1 of a batch are activated by this rank: its own, or all of them.
    struct Range {
        Index first, last;
        Index size() const { return last - first; }
    };
    Range activated() const;

    Index n_examples() const { return rows_.size(); }
    Index n_owned() const { return std::ssize(shards_); }
    Index rank() const { return rank_; }
    Index first() const { return rank_ * n_owned(); }
    ModelShard& shard(Index i) { return *shards_[i]; }
    const NetworkConfig& config() const { return config_; }
    Index step() const { return step_; }  // batches trained so far
    void set_mean_labels(float mean) { mean_labels_ = mean; }
    // A step that is made elsewhere, on copies of rows (core/rows).
    void count_step() { ++step_; }
    void update_hidden_bias(const float* gradient, float rate, Index number) {
        bias_optimizer_.update(0, rate, number, gradient, bias_.data());
    }
    // What all ranks hold alike.
    void visit_shared(StateVisitor& visitor);

private:
    std::span<float> add_up(int n_threads);
    // Where the runs are one after the other: the only one itself, or a copy.
    static const float* joined(std::span<const std::span<const float>> parts, std::vector<float>& copy);
    float step_rate(float rate) const;
    // f(shard, number, threads) for all owned shards, in parallel where these are as many as the threads.
    template <class F>
    void each_shard(int n_threads, F&& f);

    NetworkConfig config_;
    Places places_;
    Index rank_, step_ = 0;
    bool activates_all_;
    UnitFunction function_;
    float mean_labels_ = 1;
    std::vector<std::unique_ptr<ModelShard>> shards_;
    std::unique_ptr<ActiveProducts> products_;  // hold the activations for those of all shards
    Array<float> bias_;                         // of the hidden layer
    Optimizer bias_optimizer_;

    // Of the batch.
    BatchRows rows_;
    std::vector<Index> examples_of_;
    std::vector<float> partial_;          // (all examples, width)
    std::vector<float> scales_, own_;     // of the activated examples
    std::vector<float> own_gradients_;    // the same
    std::vector<float> gathered_, sums_;  // of all examples
    const float* h_ = nullptr;            // activations of all examples
    double partition_loss_ = 0;
};

}  // namespace hashslide
