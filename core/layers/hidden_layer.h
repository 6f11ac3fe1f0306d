// One hidden layer over other units, with one row of weights a neuron: dense, or only the neurons that its selector
// picks for each example.
#pragma once

#include "layers/layer.h"
#include "learning/neurons.h"

namespace hashslide {

// A chosen neuron of `uniform`, which draws with replacement, counts 1 / (1 - (1 - 1/n)^budget) times and of `standout`
// once in training, so that with all neurons, weighted by their chance to be chosen, a prediction has the same mean
// (Srivastava et al. 2014; Ba & Frey 2013). The other samplers choose for a prediction as they do in training: the
// selection is part of the function.
class HiddenLayer {
public:
    HiddenLayer(const LayerConfig& config, Index width_in, const OptimizerConfig& optimizer, Precision precision,
                std::uint64_t seed, int number);

    // Random weights; they are 0 before.
    void initialise();
    // Builds the hash tables, if there are some and they are not ready: unlike those of the output, the weights mean
    // something from the start, and without tables no neuron would be active.
    void build_tables(int n_threads);

    Index width() const { return neurons.n(); }
    LayerWork work() const { return {neurons.n(), 0}; }

    // seed: of this batch's draws; the network's own, or that of a worker (worker.h).
    void forward(const Activations& in, Activations& out, LayerWork& work, std::uint64_t seed, Index step,
                 int n_threads) const;
    // out.gradients: dLoss/dout on entry. Sets in.gradients where they are wanted and updates the touched neurons.
    void backward_and_update(Activations& in, bool in_gradient, Activations& out, LayerWork& work, float rate,
                             Index step, int n_threads);
    // The same function without dropout.
    void predict(const Activations& in, Activations& out, int n_threads) const;

    const Selector& selector() const { return selector_; }
    Selector& selector() { return selector_; }

    Neurons neurons;

private:
    // A neuron whose activation is 0 adds nothing to the next layer and has no gradient: it is left out of `out`.
    void forward_selected(const Activations& in, Activations& out, LayerWork& work, int n_threads) const;
    float training_factor() const;

    LayerConfig config_;
    Selector selector_;
    std::uint64_t seed_;
    int number_;
};

}  // namespace hashslide
