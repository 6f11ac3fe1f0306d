// A hidden layer of which every neuron is computed: a = activation(in W^T + b), as matrix products.
#pragma once

#include "learning/activation.h"
#include "learning/neurons.h"
#include "sparse/activations.h"

namespace hashslide {

// z: (examples, neurons), without activation.
void dense_products(const Neurons& neurons, const Vectors& in, float* z, int n_threads);

// out.gradients hold dLoss/da on entry. Sets in.gradients (dense), then updates all neurons. Work: (neurons, width).
void dense_backward_and_update(Neurons& neurons, Activation activation, Activations& in, Activations& out, float rate,
                               Index step, int n_threads);

}  // namespace hashslide
