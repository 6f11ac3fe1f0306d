// Steps 4, 6 and 7 where each example has active neurons of its own: products, gradients and updates of the chosen
// (example, neuron) pairs only. The pairs are worked off neuron by neuron, so that a row of weights is read once a
// batch.
#pragma once

#include <span>
#include <vector>

#include "base/id_map.h"
#include "learning/neurons.h"
#include "sparse/activations.h"

namespace hashslide {

class ExampleProducts {
public:
    explicit ExampleProducts(Index n_neurons = 0) : touched_(n_neurons) {}

    // The pairs of a batch: the neurons of example b are ids[begin[b]] .. ids[begin[b + 1] - 1]. O(pairs).
    void set(const std::vector<Index>& begin, const std::vector<Id>& ids);
    const std::vector<Id>& touched() const { return touched_.ids(); }

    // z[pair] = w . a + b. z: one for each id of the selection.
    void forward(const Neurons& neurons, const Activations& in, float* z, int n_threads);

    // dz: dLoss/dz. Adds to in.gradients where in_gradient is wanted, then updates each touched neuron by the one
    // thread that summed its gradient, in the order of the batch.
    void backward_and_update(Neurons& neurons, Activations& in, bool in_gradient, const float* dz, float rate,
                             Index step, int n_threads);

    double multiplications = 0;  // of all calls so far

private:
    struct Pair {
        Id example, pair;
    };
    std::span<const Pair> pairs(Index t) const {
        return {pairs_.data() + by_neuron_[t], static_cast<std::size_t>(by_neuron_[t + 1] - by_neuron_[t])};
    }
    double multiplications_of(const Activations& in) const;
    void neuron_dense(Neurons& neurons, const Activations& in, Index t, const float* dz, float rate, Index step,
                      float* in_gradient);
    void neuron_sparse(Neurons& neurons, const Activations& in, Index t, const float* dz, float rate, Index step,
                       float* in_gradient);

    IdMap touched_;
    std::vector<Index> by_neuron_, next_;
    std::vector<Pair> pairs_;
    std::vector<float> piece_gradients_;
};

}  // namespace hashslide
