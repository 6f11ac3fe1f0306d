// The parameters of a layer with one row of weights a neuron, z_j = w_j . a + b_j, and their optimiser.
#pragma once

#include "base/memory.h"
#include "base/prefetch.h"
#include "base/rng.h"
#include "learning/optimizer.h"
#include "weights/neuron_view.h"
#include "weights/weights.h"

namespace hashslide {

class Neurons {
public:
    // seed: of the rounding of bfloat16 weights.
    Neurons(Index n, Index width, const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed);

    Index n() const { return n_; }
    Index width() const { return width_; }
    NeuronView view() const { return {weight.view(), bias.data(), n_}; }
    float logit(Index neuron, const float* in) const { return weight.view().dot(neuron, in) + bias[neuron]; }

    // Asks for a neuron ahead of its use, and for the state of its optimiser ahead of its update.
    void prefetch_neuron(Index neuron) const {
        weight.view().prefetch(neuron);
        prefetch(bias.data() + neuron, 1);
    }
    void prefetch_state(Index neuron) const {
        weight_optimizer.prefetch_row(neuron);
        bias_optimizer.prefetch_row(neuron);
    }

    // One touched neuron; called by the one thread that owns it. gradient: (width,).
    void update(Index neuron, float rate, Index step, const float* gradient, float bias_gradient);
    // The same where the gradient is 0 but at `entries` coordinates: O(entries).
    void update_entries(Index neuron, float rate, Index step, const Id* coordinates, Index entries,
                        const float* gradient, float bias_gradient);

    // A new neuron has weights of 0 and the least bias of the old ones, so that it displaces none before its first
    // update.
    void grow(Index n);
    // The weights, rounded to the nearest, and the bias of a neuron, from outside.
    void set(Index neuron, const float* new_weight, float new_bias);
    // Normal start: uniform weights of the given standard deviation, bias 0.
    void initialise(float deviation, const CounterRng& rng);

    Weights weight;     // (n, width)
    Array<float> bias;  // (n,)
    Optimizer weight_optimizer, bias_optimizer;

private:
    Index n_, width_;
};

}  // namespace hashslide
