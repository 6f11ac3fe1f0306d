// A hidden layer of which every neuron is computed: h = s activation(in W^T + b) (UnitFunction), as matrix products.
#pragma once

#include "learning/activation.h"
#include "learning/neurons.h"
#include "sparse/activations.h"

namespace hashslide {

// z: (examples, neurons), without activation.
void dense_products(const Neurons& neurons, const Vectors& in, float* z, int n_threads);

// out: h, from dense_products and function, in place.
void dense_activate(const UnitFunction& function, const std::vector<char>& has_features, Activations& out,
                    int n_threads);

// out.gradients hold dLoss/dh on entry. Sets in.gradients (dense), then updates all neurons. Work: (neurons, width).
void dense_backward_and_update(Neurons& neurons, const UnitFunction& function, Activations& in, Activations& out,
                               float rate, Index step, int n_threads);

}  // namespace hashslide
