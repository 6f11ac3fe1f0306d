// The network and one step of its training, stage by stage (see docs/algorithm.md).
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "active_set.h"
#include "direct_term.h"
#include "hard_negatives.h"
#include "input_layer.h"
#include "loss.h"
#include "output_layer.h"
#include "screen.h"

namespace hashslide {

struct NetworkConfig {
    Index n_features = 1, n_labels = 1, hidden = 256;
    Activation activation = Activation::identity;
    LossKind loss = LossKind::bce;
    OptimizerConfig optimizer;
    float hidden_length = 0.0f;  // Euclidean length of every hidden activation; 0: free
    float example_power = 0.0f;  // an example's loss is weighted by (mean labels / its labels)^power
    float input_scale = 1.0f;    // all feature values are multiplied by it
    float input_init = 0.05f;    // standard deviation of the input weights; output weights start at 0
    float input_dropout = 0.0f;
    float hidden_dropout = 0.0f;
    float prior_correction = 1.0f;  // share of log r that is taken off the logits in training (loss.h)
    ActiveSetConfig active;
    HardNegativesConfig hard;
    DirectTermConfig direct;
    std::uint64_t seed = 0;
};

struct StepStats {
    double loss;   // summed over the examples
    Index active;  // size of the active set
};

enum class Stage {
    input_forward,
    active_set,
    output_forward,
    direct_forward,
    loss,
    output_backward,
    direct_backward,
    input_backward,
    rehash,
    count
};

class Network {
public:
    // initialise: draw the input weights; otherwise they are 0 (the arrays are about to be restored).
    explicit Network(const NetworkConfig& config, bool initialise = true);

    // One step on the given rows of x and y. sample_weight: one for each row of x, or null.
    StepStats train_batch(const CsrView& x, const CsrView& y, std::span<const Index> rows, const float* sample_weight,
                          float rate, int n_threads);

    void predict_topk(const CsrView& x, Index k, std::int64_t* labels, float* scores, int n_threads) const;
    void logits(const CsrView& x, float* out, int n_threads) const;

    // How often each label occurred among n_examples. reset_bias: the bias starts at the label's log odds.
    void set_label_prior(const Index* counts, Index n_examples, bool reset_bias);
    void set_label_weight(const float* weight);
    // Chooses the pairs of the direct term from training data; after set_label_prior.
    void choose_direct_pairs(const CsrView& x, const CsrView& y, int n_threads);
    void grow(Index n_features, Index n_labels);

    const NetworkConfig& config() const { return config_; }
    const std::array<double, static_cast<int>(Stage::count)>& stage_seconds() const { return seconds_; }

    // Every array that makes up the model and its optimiser, for saving and restoring.
    struct NamedArray {
        std::string name;
        Array<float>* array;
        Index rows, columns;  // columns 0: a vector
        bool is_optimizer_state;
    };
    std::vector<NamedArray> arrays();
    DirectTerm& direct() { return direct_; }
    const std::vector<Id>& active_labels() const { return active_.ids(); }  // of the last batch
    const std::vector<Index>& label_counts() const { return prior_.counts(); }
    Index n_examples_seen() const { return prior_.n_examples(); }
    Index step = 0;  // batches trained so far

private:
    void own_arrays();
    CsrView scaled(const CsrView& x, std::vector<float>& values) const;
    std::shared_ptr<const Screen> screen(int n_threads) const;
    void drop_screen();
    void build_active_set(const CsrView& y, std::span<const Index> rows, const float* h, int n_threads);
    void prior_shift(Index batch, int n_threads);
    const float* row_weights(const CsrView& y, std::span<const Index> rows, const float* sample_weight);
    void hidden_dropout(Index batch, float* values) const;
    void lap(Stage stage);

    NetworkConfig config_;
    InputLayer input_;
    OutputLayer output_;
    DirectTerm direct_;
    LabelPrior prior_;
    HardNegatives hard_negatives_;
    ActiveSet active_;
    std::vector<float> label_weight_;  // empty: all 1

    // Workspace of a step.
    BatchFeatures features_;
    std::vector<float> hidden_, hidden_gradient_, dropped_, shift_, row_weight_;

    // Made at the first prediction of a few rows, dropped when the weights change.
    mutable std::mutex screen_mutex_;
    mutable std::shared_ptr<const Screen> screen_;

    std::array<double, static_cast<int>(Stage::count)> seconds_{};
    double lap_start_ = 0;
};

}  // namespace hashslide
