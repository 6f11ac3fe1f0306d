// Read-only view of the neurons (w, b) of a layer, for what hashes and samples them.
#pragma once

#include "base/types.h"

namespace hashslide {

struct NeuronView {
    const float* weight;  // (n, width): one row per neuron
    const float* bias;    // (n,)
    Index n, width;
};

}  // namespace hashslide
