// Read-only view of the neurons (w, b) of a layer, for what hashes and samples them.
#pragma once

#include "weights/weight_view.h"

namespace hashslide {

struct NeuronView {
    WeightView weight;  // one row per neuron
    const float* bias;  // (n,)
    Index n;

    Index width() const { return weight.width; }
};

}  // namespace hashslide
