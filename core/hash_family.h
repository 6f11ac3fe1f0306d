// Step 1: from vectors to buckets. A family hashes neurons, so that the tables can hold them, and queries, so that the
// tables can be probed for the neurons with large inner products.
#pragma once

#include <vector>

#include "types.h"

namespace hashslide {

// The neurons (w, b) of a layer: row i of weight (n, width) and bias[i].
struct NeuronView {
    const float* weight;
    const float* bias;
    Index n, width;
};

class HashFamily {
public:
    virtual ~HashFamily() = default;

    virtual Index n_buckets() const = 0;

    // Learns or draws fresh functions: the scheduled full rebuild, which may look at all neurons.
    virtual void fit(const NeuronView& neurons, std::uint64_t round, int n_threads) = 0;

    // Bucket of each of the given neurons.
    virtual void hash_neurons(const NeuronView& neurons, const std::vector<Id>& ids, std::vector<Id>& buckets,
                              int n_threads) const = 0;

    // The `probes` buckets that promise most to each query, best first. queries: (n, width); buckets: (n, probes).
    virtual void probe(const float* queries, Index n, Index probes, std::vector<Id>& buckets, int n_threads) const = 0;
};

}  // namespace hashslide
