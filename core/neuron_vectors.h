// From maximum inner product search to hashing: which vector stands for a neuron and which for a query.
#pragma once

#include <vector>

#include "hash_family.h"
#include "state.h"

namespace hashslide {

// The neurons (w, b) of a layer: row i of weight (n, width) and bias[i].
struct NeuronView {
    const float* weight;
    const float* bias;
    Index n, width;
};

struct MipsConfig {
    bool bias = true;      // the bias is one more coordinate: (w, b) against (h, 1)
    bool centre = false;   // the mean of all neurons is subtracted: neither softmax nor the order of the logits changes
    bool augment = false;  // one more coordinate makes all neurons equally long: sqrt(M^2 - |v|^2) against 0, M the
                           // longest (Bachrach et al. 2014; Neyshabur & Srebro 2015)
    Index norm_ranges = 1;  // neurons are split by length into so many parts of equal size, each scaled by its own
                            // longest, with buckets of its own (Yan et al. 2018)
};

// The mapping of the neurons and queries of one layer. The mean and the lengths are those of the last fit(); a neuron
// that has become longer than the longest counts as long as that.
class MipsMap {
public:
    MipsMap(const MipsConfig& config, Index width)
        : config_(config), width_(width), mean_(config.centre ? width + config.bias : 0) {}

    Index neurons_width() const { return width_; }
    Index width() const { return width_ + config_.bias + config_.augment; }  // of the vectors
    Index ranges() const { return config_.norm_ranges; }

    // Mean and lengths of all neurons. O(n width).
    void fit(const NeuronView& neurons, int n_threads);
    // vectors: (n, width()); ranges: (n,) the part of each neuron, 0: the shortest ones; may be null.
    void map_neurons(const NeuronView& neurons, const Id* ids, Index n, float* vectors, Id* ranges) const;
    // The queries, of the neurons' width, as vectors of width(): in `memory`, unless they are the same.
    Vectors map_queries(const Vectors& queries, VectorList& memory) const;

    State state() const;
    void restore(const State& state);

private:
    void fit_mean(const NeuronView& neurons, int n_threads);
    void centred(const NeuronView& neurons, Id id, float* vector) const;
    bool needs_norms() const { return config_.augment || config_.norm_ranges > 1; }

    MipsConfig config_;
    Index width_;
    std::vector<float> mean_;     // (width, bias): empty: not centred
    std::vector<float> longest_;  // of each range, in increasing order; empty: lengths do not matter
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
