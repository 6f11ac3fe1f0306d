// The network: its parameters, its training batch by batch (worker.h), its predictions, its state.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/candidates.h"
#include "inference/screen.h"
#include "network/network_config.h"
#include "network/worker.h"
#include "ranking/learn_ranker.h"

namespace hashslide {

class StateVisitor;

class Network {
public:
    // initialise: draw the first weights; otherwise they are 0 (the arrays are about to be restored).
    explicit Network(const NetworkConfig& config, bool initialise = true);
    // Builds the hash tables of hidden layers that have not been restored.
    void build_tables() { model_.hidden.build_tables(1); }

    // One step on the given rows of x and y. sample_weight: one for each row of x, or null. A step of more than a
    // moment may be interrupted, and is then not counted; rows of the weights may have been updated.
    StepStats train_batch(const CsrInput& x, const CsrInput& y, std::span<const Index> rows, const float* sample_weight,
                          float rate, int n_threads);

    // excluded: labels that each row must not get, or null. Where fewer than k are left, -1 and -infinity follow.
    void predict_topk(const CsrInput& x, const CsrInput* excluded, Index k, std::int64_t* labels, float* scores,
                      int n_threads) const;
    // The same among the candidates alone; if there are fewer than k, the row is predicted exactly. Not before
    // set_candidates().
    void approximate_topk(const CsrInput& x, const CsrInput* excluded, Index k, const CandidateSettings& read,
                          std::int64_t* labels, float* scores, int n_threads) const;
    void logits(const CsrInput& x, float* out, int n_threads) const;
    // Those of some labels of each row alone: out (entries of y).
    void pair_logits(const CsrInput& x, const CsrInput& y, bool with_ranker, float* out, int n_threads) const;
    // Activations after the first n_layers of model().hidden.layers(): out (x.n_rows, width_after(n_layers)).
    void hidden(const CsrInput& x, std::size_t n_layers, float* out, int n_threads) const;

    // How often each label occurred among n_examples. reset_bias: the bias starts at the label's log odds.
    void set_label_prior(const Index* counts, Index n_examples, bool reset_bias);
    // The counts of some labels, each once, among all examples so far. O(labels).
    void update_label_prior(std::span<const Id> labels, const Index* counts, Index n_examples);
    void set_label_weight(const float* weight);
    // Throws BadInput for a ranker of another network, or of this one before it has grown. O(weights).
    void check_ranker(const Ranker& ranker) const;
    // A ranker from training data, of all labels against the best ones of each example; after set_label_prior.
    Ranker learn_ranker(const CsrInput& x, const CsrInput& y, const float* sample_weight, int n_threads) const;
    // The margins and the associations, on their log scale, of the labels that y holds for each row of x: both of the
    // size of y's entries.
    void ranker_parts(const Ranker& ranker, const CsrInput& x, const CsrInput& y, float* margins,
                      float* associations) const;
    // From now on it is part of the logits.
    void set_ranker(Ranker ranker, const Blend& blend);
    void drop_ranker();
    // The steps of update_ranker() (core/ranking) on further examples.
    void update_ranker(const CsrInput& x, const CsrInput& y, int n_threads);
    // The lists of approximate_topk() from training data; is_fresh: not those that there are, extended. They are not
    // updated by train_batch().
    Candidates learn_candidates(const CsrInput& x, const CsrInput& y, int n_threads) const;
    // Lets the ranker, if there is one, add `gain` times the cosine of an example and a description to each of the last
    // labels, of which it knows nothing yet. x: a description for each.
    void describe_labels(const CsrInput& x, float gain);
    void set_candidates(Candidates candidates) { candidates_ = std::move(candidates); }
    // What further examples change in the lists that there are.
    CandidatesExtension extend_candidates(const CsrInput& x, const CsrInput& y, int n_threads) const;
    void set_candidates(CandidatesExtension by) { candidates_.extend(std::move(by), config_.n_features); }
    void grow(Index n_features, Index n_labels);
    // Sets the output rows of some labels, such as new ones: weight (labels, width), bias (labels).
    void set_label_rows(std::span<const Id> labels, const float* weight, const float* bias);

    const NetworkConfig& config() const { return config_; }
    StageSeconds stage_seconds() const;
    // Of all steps so far: products and hashing, without the optimiser and the direct term.
    double multiplications() const;
    void rebuild_tables(int n_threads);  // of all layers, with fresh functions, now

    // Every array that makes up the network, for saving and restoring (model_state.h).
    void visit_state(StateVisitor& visitor);
    // An array is somebody else's memory, which lives as long as the network: it is copied before it is written to.
    void borrow(std::shared_ptr<void> keeper) {
        lenders_.push_back(std::move(keeper));
        is_borrowing_ = true;
    }
    // Copies everything that is borrowed, array by array, and lets go of whose it is: to be called with the
    // interpreter's lock.
    void own_state();
    // The hash tables, by the name of their layer.
    std::vector<std::pair<std::string, NeuronIndex*>> indexes();
    Candidates& candidates() { return candidates_; }
    const Candidates& candidates() const { return candidates_; }
    const Model& model() const { return model_; }
    std::vector<Id> active_labels() const;  // of the last batch
    const LabelPrior& label_prior() const { return prior_; }
    Index n_examples_seen() const { return prior_.n_examples(); }
    Index step() const { return step_; }  // batches trained so far

private:
    void own_arrays();
    // The best labels of each row, (rows, k), of the candidate lists where there are some.
    std::vector<Id> best_labels(const CsrInput& x, Index k, int n_threads) const;
    void rehash(int n_threads);
    // Calls f(rows, first) for copies of so many rows of x at a time, with their values times input_scale.
    template <class F>
    void for_blocks(const CsrInput& x, Index block, F&& f) const;
    // Null where it is not worth making: for few rows at the first call since drop_screen(); and while another thread
    // makes it.
    std::shared_ptr<const Screen> screen_for(Index n_rows, int n_threads) const;
    void drop_screen();
    std::span<const std::unique_ptr<Worker>> used_workers() const {
        return {workers_.data(), static_cast<std::size_t>(used_workers_)};
    }
    void dismiss_workers();

    NetworkConfig config_;
    Model model_;
    Candidates candidates_;
    LabelPrior prior_;
    Selector selector_;
    std::vector<float> label_weight_;  // empty: all 1
    Index step_ = 0;
    // Of borrowed memory. They may be Python's, so they are let go only with the network, by a thread that holds the
    // interpreter's lock.
    std::vector<std::shared_ptr<void>> lenders_;
    bool is_borrowing_ = false;
    std::vector<std::unique_ptr<Worker>> workers_;
    Index used_workers_ = 0;  // in the last batch: the first ones
    double rehash_seconds_ = 0;
    StageSeconds past_seconds_{};  // of workers that were dismissed
    double past_multiplications_ = 0;

    // Made at the first prediction of a few rows, dropped when the weights change.
    mutable std::mutex screen_mutex_;
    mutable std::shared_ptr<const Screen> screen_;
    mutable bool is_screen_wanted_ = false;  // a prediction has been made with these weights
    mutable bool is_screen_in_work_ = false;
};

}  // namespace hashslide
