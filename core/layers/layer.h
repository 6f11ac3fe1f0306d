// What all layers over units have in common: their settings, their first weights, a worker's memory.
#pragma once

#include <cmath>

#include "learning/activation.h"
#include "output/example_products.h"
#include "sampling/selector.h"
#include "sparse/activations.h"
#include "sparse/batch_features.h"

namespace hashslide {

struct LayerConfig {
    Index width = 256;
    Activation activation = Activation::identity;
    float length = 0.0f;      // Euclidean length of the activations of an example, of a dense layer; 0: free
    float softness = 0.0f;    // times the length: activations as short as that get .7 of it
    float dropout = 0.0f;     // share of the units that a training step leaves out, of a dense layer
    SelectorConfig selector;  // sampler all: a dense layer
    Index winners = 0;        // active neurons of an example: the largest activations of the chosen; 0: all of them

    UnitFunction function() const { return {activation, length, softness}; }
    bool is_dense() const { return selector.sampler.kind == SamplerKind::all; }
    // A prediction computes all neurons, though a training step may choose some.
    bool predicts_densely() const {
        const SamplerKind kind = selector.sampler.kind;
        return is_dense() || kind == SamplerKind::uniform || kind == SamplerKind::standout;
    }
};

// Layers are counted from the input.
inline std::uint64_t layer_seed(std::uint64_t seed, int number) {
    return mix(seed ^ static_cast<std::uint64_t>(number + 1));
}

// Standard deviation of the first weights (He et al. 2015): keeps the variance of ReLU layers. Also used where only a
// part of the inputs is active: the part that is kept is the part that matters.
inline float first_deviation(Index width_in) { return std::sqrt(2.0f / static_cast<float>(width_in)); }

// Memory of one worker for one batch.
struct LayerWork {
    LayerWork(Index n_neurons, Index n_units) : products(n_neurons), active_units(n_units) {}

    Selection selection;             // of a layer that selects
    std::vector<float> activations;  // of the selection
    ExampleProducts products;        // of those that are not 0, after forward
    Activations dense_in;            // of a dense layer with rows by neuron, over those that dropout chose
    BatchFeatures active_units;      // of a layer with rows by unit: the units below
    double multiplications = 0;
};

}  // namespace hashslide
