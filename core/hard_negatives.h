// The hashed source of the active set: the neurons that each example's hidden activation finds in the tables, scored;
// its best m, its hard negatives, join the set.
#pragma once

#include <vector>

#include "active_set.h"
#include "best_k.h"
#include "hash_tables.h"
#include "kmeans.h"
#include "output_layer.h"

namespace hashslide {

struct HardNegativesConfig {
    Index per_example = 0;   // m; 0: no hashing at all
    Index cells = 0;         // buckets; 0: 2 sqrt(n_labels)
    Index probes = 4;        // buckets looked up for each example
    Index share = 1;         // every share-th example of a batch looks up
    Index first_build = 50;  // step of the first build; each rebuild comes after twice as many steps
    Index refresh = 20;      // steps between two re-hashes of the touched neurons
};

class HardNegatives {
public:
    HardNegatives(const HardNegativesConfig& config, Index n_labels, Index hidden, std::uint64_t seed);

    bool enabled() const { return config_.per_example > 0; }

    // Adds the hard negatives of the batch. h: (batch, hidden).
    void add_to(ActiveSet& active, const OutputLayer& output, const float* h, Index batch, int n_threads);

    // Step 8, after each update: re-hashes the touched neurons when due, rebuilds everything on the decaying schedule.
    void rehash(const ActiveSet& active, const OutputLayer& output, Index step, int n_threads);

    void grow(Index n_labels);

private:
    void score_bucket(const OutputLayer& output, std::span<const Id> bucket, std::span<const Id> looks,
                      const ActiveSet& active);
    void build(const OutputLayer& output, int n_threads);
    void refresh(const OutputLayer& output, int n_threads);

    HardNegativesConfig config_;
    Index hidden_;
    KMeansCells family_;
    HashTable table_;
    IdMap touched_;
    Index next_build_, builds_ = 0, next_refresh_ = 0;

    // Workspace of a batch. Look-up l belongs to query l / probes; looks_ holds them sorted by the bucket they look
    // into.
    std::vector<float> queries_;
    std::vector<Id> probed_, looks_, found_;
    std::vector<std::vector<Hit>> hits_;
};

}  // namespace hashslide
