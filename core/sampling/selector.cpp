#include "sampling/selector.h"

namespace hashslide {

Selector::Selector(const SelectorConfig& config, Index n_neurons, Index width, std::uint64_t seed) : config_(config) {
    if (looks_up(config.sampler.kind)) index_.emplace(config.index, n_neurons, width, seed, config.family);
}

void Selector::select(const NeuronView& neurons, const Activations& in, const Selection* uncounted,
                      const CounterRng& rng, Selection& out, int n_threads, bool same_draws) const {
    sample(config_.sampler, index(), neurons, in.view(), uncounted, rng, out, n_threads, same_draws);
}

}  // namespace hashslide
