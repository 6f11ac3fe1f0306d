// A dense layer over a layer that selects its neurons: h = s activation(in W + b) (UnitFunction). One row of W for each
// unit below, as in the input layer: a step reads and updates the rows of the active units alone.
#pragma once

#include "layers/input_layer.h"
#include "layers/layer.h"

namespace hashslide {

class DenseOverSparse {
public:
    DenseOverSparse(const LayerConfig& config, Index width_in, const OptimizerConfig& optimizer, Precision precision,
                    std::uint64_t seed, int number)
        : rows(width_in, config.width, config.function(), first_deviation(width_in), optimizer, precision,
               layer_seed(seed, number)) {}

    void initialise() { rows.initialise(); }
    Index width() const { return rows.hidden(); }
    LayerWork work() const { return {0, rows.n_features()}; }

    // As those of HiddenLayer; there are no draws, and there is always a layer below that wants its gradients.
    void forward(const Activations& in, Activations& out, LayerWork& work, std::uint64_t seed, Index step,
                 int n_threads) const;
    void backward_and_update(Activations& in, bool in_gradient, Activations& out, LayerWork& work, float rate,
                             Index step, int n_threads);
    void predict(const Activations& in, Activations& out, int n_threads) const {
        rows.predict(in.view(), in.has_features, out, n_threads);
    }

    InputLayer rows;

private:
    // From out.gradients, dLoss/dz. O(active pairs).
    void input_gradients(Activations& in, const Activations& out, int n_threads) const;
    double active_pairs(const Activations& in) const { return static_cast<double>(in.entries() * width()); }
};

}  // namespace hashslide
