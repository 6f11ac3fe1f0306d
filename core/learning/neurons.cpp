#include "learning/neurons.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/rng.h"

namespace hashslide {

Neurons::Neurons(Index n, Index width, const OptimizerConfig& optimizer)
    : weight(n * width),
      bias(n),
      weight_optimizer(optimizer, n, width),
      bias_optimizer(optimizer, n, 1),
      n_(n),
      width_(width) {}

void Neurons::update(Index neuron, float rate, Index step, const float* gradient, float bias_gradient) {
    weight_optimizer.update(neuron, rate, step, gradient, weight.data() + neuron * width_);
    bias_optimizer.update(neuron, rate, step, &bias_gradient, bias.data() + neuron);
}

void Neurons::update_entries(Index neuron, float rate, Index step, const Id* coordinates, Index entries,
                             const float* gradient, float bias_gradient) {
    weight_optimizer.update_entries(neuron, rate, step, coordinates, entries, gradient,
                                    weight.data() + neuron * width_);
    bias_optimizer.update(neuron, rate, step, &bias_gradient, bias.data() + neuron);
}

void Neurons::grow(Index n) {
    const float least = n_ > 0 ? *std::min_element(bias.data(), bias.data() + n_) : 0.0f;
    weight.resize(n * width_);
    bias.resize(n);
    std::fill(bias.data() + n_, bias.data() + n, least);
    weight_optimizer.grow(n);
    bias_optimizer.grow(n);
    n_ = n;
}

void Neurons::set(Index neuron, const float* new_weight, float new_bias) {
    std::copy_n(new_weight, width_, weight.data() + neuron * width_);
    bias[neuron] = new_bias;
    weight_optimizer.settle(neuron);
    bias_optimizer.settle(neuron);
}

void Neurons::initialise(float deviation, const CounterRng& rng) {
    const FlushDenormals flush;
    const float range = deviation * std::sqrt(12.0f);  // of the uniform distribution with that standard deviation
    parallel_for(available_cpus(), 0, n_ * width_, 1 << 16, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) weight[i] = range * (rng.uniform(static_cast<std::uint64_t>(i)) - 0.5f);
    });
}

}  // namespace hashslide
