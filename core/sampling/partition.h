// The partition function Z = sum of exp(z) over all neurons of a layer, estimated without bias from some of them.
#pragma once

#include <vector>

#include "base/rng.h"
#include "sampling/sampler.h"
#include "tables/neuron_index.h"

namespace hashslide {

// Neurons of each query with the chance that each had to be there.
struct WeightedSelection {
    Selection chosen;
    std::vector<double> probability;  // of chosen.ids
};

// Weights of the neurons that each query (n, width) found in freshly built tables: 1 - (1 - p^K)^L, where p is the
// family's law for the vectors of the query and the neuron (Spring & Shrivastava 2018). True if look-ups see whole
// buckets, one in each table, and the codes of K hashes are not folded. O(found * width).
WeightedSelection weigh_found(const Selection& found, const NeuronIndex& index, Index hashes, const NeuronView& neurons,
                              const float* queries, int n_threads);

// The neurons found by each query are certain, given the tables; `draws` uniform draws from all n neurons stand for the
// rest: each distinct neuron among them that was not found has the chance 1 - (1 - 1/n)^draws.
WeightedSelection add_uniform(const Selection& found, Index n_neurons, Index draws, const CounterRng& rng,
                              int n_threads);

// log of sum exp(z) / probability, an unbiased estimate of Z (Horvitz & Thompson 1952), for each of n queries (n,
// width); -infinity for a query without neurons. O(chosen * width).
void log_partition(const WeightedSelection& sample, const NeuronView& neurons, const float* queries, Index n,
                   double* out, int n_threads);

}  // namespace hashslide
