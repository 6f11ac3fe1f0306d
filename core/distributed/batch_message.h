// What a rank tells another one of its examples of a batch: their features and labels that belong to the other's shards.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/rng.h"
#include "distributed/model_shard.h"
#include "sparse/csr_input.h"

namespace hashslide {

// Where every feature and every label of the whole model is: local row * n_shards + shard. Rank r owns the shards
// r * n_owned .. (r + 1) * n_owned - 1.
struct Places {
    std::span<const Id> features, labels;
    Index n_shards, n_owned;

    Index n_ranks() const { return n_shards / n_owned; }
    Index shard(Id place) const { return static_cast<std::uint32_t>(place) % static_cast<std::uint32_t>(n_shards); }
    Index owner(Id place) const { return shard(place) / n_owned; }
    Id local(Id place) const {
        return static_cast<Id>(static_cast<std::uint32_t>(place) / static_cast<std::uint32_t>(n_shards));
    }
};

// How the features and the loss of an example are weighted.
struct ExampleWeights {
    float scale, dropout, example_power, mean_labels;
    const float* sample_weight;  // one for each row, or null
};

// The messages to all ranks about some rows. Dropout of feature j of row i of x is the draw i << 32 | j: so it does not
// depend on who reads the row.
std::vector<std::vector<Id>> write_messages(const Places& places, const CsrInput& x, const CsrInput& y,
                                            std::span<const Index> rows, const ExampleWeights& weights,
                                            const CounterRng& dropout);

// Deals what a message says to the shards `first` .. of this rank; returns the number of examples.
Index read_message(const Places& places, std::span<const Id> message, std::span<const std::unique_ptr<ModelShard>> shards,
                   Index first, BatchRows& rows);

}  // namespace hashslide
