// Step 3: which neurons each example activates.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/rng.h"
#include "tables/neuron_index.h"

namespace hashslide {

// How an example chooses among the neurons of a layer.
//   all        every neuron (reference)
//   uniform    draws without regard to the example (reference)
//   vanilla    tables in random order until the budget is reached (Chen et al. 2020)
//   top        the neurons found in most tables
//   threshold  the neurons found in at least min_count tables
//   scored     of the neurons found, those of largest inner product
//   exact      the neurons of largest inner product (reference: an oracle)
//   standout   each neuron with probability sigmoid(alpha z + beta), z its inner product (Ba & Frey 2013; reference)
enum class SamplerKind { all, uniform, vanilla, top, threshold, scored, exact, standout };

// Whether a sampler looks up hash tables.
constexpr bool looks_up(SamplerKind kind) {
    return kind == SamplerKind::vanilla || kind == SamplerKind::top || kind == SamplerKind::threshold ||
           kind == SamplerKind::scored;
}

struct SamplerConfig {
    SamplerKind kind = SamplerKind::all;
    Index budget = 0;                 // neurons for each example; uniform: draws; look-ups and exact: 0 is no limit
    Index min_count = 2;              // threshold: tables
    float alpha = 1.0f, beta = 0.0f;  // standout
};

// The neurons of each example: those of example b are ids[begin[b]] .. ids[begin[b + 1] - 1], without repetition.
struct Selection {
    std::vector<Index> begin;
    std::vector<Id> ids;
    double multiplications = 0;  // that the choice took

    Index n() const { return std::max<Index>(0, std::ssize(begin) - 1); }
    std::span<const Id> of(Index example) const {
        return {ids.begin() + begin[example], ids.begin() + begin[example + 1]};
    }
};

// Chooses for each query. index: may be null for the samplers that do not look up tables. Samplers
// that look up an index that is not ready yet select nothing. uncounted: neurons (by query, sorted) that are chosen as
// any other but do not count towards the budget, the true labels; may be null. Draws come from rng.bits(query << 32 |
// draw); with same_draws, for predictions, query is 0 for all, so that what one finds does not depend on its place.
// Within an example the order of the ids is the order of choice (best first, table by table, ...), the same for any
// number of threads. Cost per query: what is found, except for all, exact and standout, which are references.
void sample(const SamplerConfig& config, const NeuronIndex* index, const NeuronView& neurons, const Vectors& queries,
            const Selection* uncounted, const CounterRng& rng, Selection& out, int n_threads, bool same_draws = false);

// Chance that a query finds a neuron in at least one of L tables of K elementary hashes that agree with chance p each:
// 1 - (1 - p^K)^L.
double inclusion_probability(double p, Index hashes, Index tables);

}  // namespace hashslide
