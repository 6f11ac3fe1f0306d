// From maximum inner product search to hashing: which vector stands for a neuron and which for a query.
#pragma once

#include <vector>

#include "base/state.h"
#include "hashing/hash_family.h"
#include "weights/neuron_view.h"

namespace hashslide {

struct MipsConfig {
    bool bias = true;     // the bias is one more coordinate: (w, b) against (h, 1)
    bool centre = false;  // the mean of all neurons is subtracted: neither softmax nor the order of the logits changes
    // The mean of the queries, m, is subtracted, and what that takes from the logits is added to the neurons' last
    // coordinate: (w, (b + w . m) / c) against (h - m, c). What all queries have in common says nothing about which
    // neuron suits this one, but fills most of the angle. c balances the coordinates: it makes the product of the
    // vectors' mean squared lengths smallest, and so the angles widest. Needs bias. Sparse queries become dense.
    bool centre_queries = false;
    bool augment = false;   // one more coordinate makes all neurons equally long: sqrt(M^2 - |v|^2) against 0, M the
                            // longest (Bachrach et al. 2014; Neyshabur & Srebro 2015)
    Index norm_ranges = 1;  // neurons are split by length into so many parts of equal size, each scaled by its own
                            // longest, with buckets of its own (Yan et al. 2018)
};

// A neuron whose weights are all 0 has not been trained yet and has no direction to be found by: it is not hashed.
bool is_hashed(const NeuronView& neurons, Id id);

// The mapping of the neurons and queries of one layer. The means and the lengths are those of the last fit(); a neuron
// that has become longer than the longest counts as long as that.
class MipsMap {
public:
    MipsMap(const MipsConfig& config, Index width)
        : config_(config),
          width_(width),
          query_mean_(config.centre_queries ? width : 0),
          origin_(query_mean_.size()),
          mean_(config.centre ? width + config.bias : 0) {}

    bool centres_queries() const { return config_.centre_queries; }
    Index neurons_width() const { return width_; }
    Index width() const { return width_ + config_.bias + config_.augment; }  // of the vectors
    Index ranges() const { return config_.norm_ranges; }

    // Follows the mean of the queries, for the next fit(). O(entries), and O(width) a call.
    void observe(const Vectors& queries);
    // Means and lengths of all neurons. O(n width).
    void fit(const NeuronView& neurons, int n_threads);
    // vectors: (n, width()); ranges: (n,) the part of each neuron, 0: the shortest ones; may be null.
    void map_neurons(const NeuronView& neurons, const Id* ids, Index n, float* vectors, Id* ranges) const;
    // The queries, of the neurons' width, as vectors of width(): in `memory`, unless they are the same.
    Vectors map_queries(const Vectors& queries, VectorList& memory) const;

    // Entries of a mapped query.
    Index entries_of(const Vectors& queries, Index i) const {
        return queries.sparse && origin_.empty() ? queries.size(i) + config_.bias : width();
    }
    // Multiplications that mapping one neuron takes, and fit() for each of them.
    Index multiplications() const { return offset_multiplications() + (needs_norms() ? width_ : 0); }
    Index fitting_multiplications() const {
        const Index balance = config_.centre_queries ? offset_multiplications() + width_ : 0;
        return balance + (config_.centre ? offset_multiplications() : 0) + (needs_norms() ? multiplications() : 0);
    }

    State state() const;
    void restore(const State& state, bool fitted);

private:
    // The mean over the neurons that are hashed, zeros if there are none; add(i, sum) adds neuron i to sum (size,).
    // Pieces of fixed size are added in their order: the same for any number of threads.
    template <class F>
    std::vector<float> mean_over(const NeuronView& neurons, Index size, int n_threads, F&& add) const;
    void fit_mean(const NeuronView& neurons, int n_threads);
    void fit_balance(const NeuronView& neurons, int n_threads);
    float offset(const NeuronView& neurons, Id id) const;
    Index offset_multiplications() const { return config_.centre_queries ? width_ : 0; }
    void centred(const NeuronView& neurons, Id id, float* vector) const;
    bool needs_norms() const { return config_.augment || config_.norm_ranges > 1; }

    MipsConfig config_;
    Index width_;
    std::vector<float> query_mean_;  // of the queries seen so far, the last ones foremost
    float query_square_ = 0;         // their mean squared length
    Index seen_ = 0;                 // batches of them
    std::vector<float> origin_;      // m of the last fit; empty: queries are not centred
    float balance_ = 1;              // c
    std::vector<float> mean_;        // (width, bias): empty: not centred
    std::vector<float> longest_;     // of each range, in increasing order; empty: lengths do not matter
};

// The mapped neurons, as families see them.
class NeuronVectors : public VectorSource {
public:
    NeuronVectors(const NeuronView& neurons, const MipsMap& map) : neurons_(neurons), map_(map) {}

    Index n() const override { return neurons_.n; }
    Index width() const override { return map_.width(); }
    void read(const Id* ids, Index n, float* out) const override { map_.map_neurons(neurons_, ids, n, out, nullptr); }

private:
    const NeuronView& neurons_;
    const MipsMap& map_;
};

}  // namespace hashslide
