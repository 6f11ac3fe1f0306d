// Step 3 of one layer: a sampler with the tables that it looks up.
#pragma once

#include <memory>
#include <optional>

#include "sampling/sampler.h"
#include "sparse/activations.h"
#include "tables/neuron_index.h"

namespace hashslide {

struct SelectorConfig {
    SamplerConfig sampler;
    IndexConfig index;
    std::shared_ptr<HashFamily> family;  // the user's own; null: index.family
};

class Selector {
public:
    Selector(const SelectorConfig& config, Index n_neurons, Index width, std::uint64_t seed);

    NeuronIndex* index() { return index_ ? &*index_ : nullptr; }
    const NeuronIndex* index() const { return index_ ? &*index_ : nullptr; }

    // The neurons of each example of `in`; see sample().
    void select(const NeuronView& neurons, const Activations& in, const Selection* uncounted, const CounterRng& rng,
                Selection& out, int n_threads, bool same_draws = false) const;

private:
    SelectorConfig config_;
    std::optional<NeuronIndex> index_;
};

}  // namespace hashslide
