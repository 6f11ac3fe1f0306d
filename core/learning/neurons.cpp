#include "learning/neurons.h"

#include <algorithm>

namespace hashslide {

Neurons::Neurons(Index n, Index width, const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed)
    : weight(n, width, precision, seed, Stream::rounding),
      bias(n),
      weight_optimizer(optimizer, n, width),
      bias_optimizer(optimizer, n, 1),
      n_(n),
      width_(width) {}

void Neurons::update(Index neuron, float rate, Index step, const float* gradient, float bias_gradient) {
    weight.update(neuron, step, [&](float* row) { weight_optimizer.update(neuron, rate, step, gradient, row); });
    bias_optimizer.update(neuron, rate, step, &bias_gradient, bias.data() + neuron);
}

void Neurons::update_entries(Index neuron, float rate, Index step, const Id* coordinates, Index entries,
                             const float* gradient, float bias_gradient) {
    weight.update_entries(neuron, step, coordinates, entries, [&](float* values) {
        weight_optimizer.update_entries(neuron, rate, step, coordinates, entries, gradient, values);
    });
    bias_optimizer.update(neuron, rate, step, &bias_gradient, bias.data() + neuron);
}

void Neurons::grow(Index n) {
    const float least = n_ > 0 ? *std::min_element(bias.data(), bias.data() + n_) : 0.0f;
    weight.resize(n);
    bias.resize(n);
    std::fill(bias.data() + n_, bias.data() + n, least);
    weight_optimizer.grow(n);
    bias_optimizer.grow(n);
    n_ = n;
}

void Neurons::set(Index neuron, const float* new_weight, float new_bias) {
    weight.set(neuron, new_weight);
    bias[neuron] = new_bias;
    weight_optimizer.settle(neuron);
    bias_optimizer.settle(neuron);
}

void Neurons::initialise(float deviation, const CounterRng& rng) { weight.draw(0, n_, deviation, rng); }

}  // namespace hashslide
