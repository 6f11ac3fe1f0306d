// A ranker from training data and the network's candidates.
#pragma once

#include "base/rng.h"
#include "layers/ranker.h"
#include "ranking/coordinate_descent.h"

namespace hashslide {

// candidates: as HardPairs wants them. sample_weight: of each row, or null. label_weight: of each label's true pairs,
// or empty. Each label is one piece of work, so that the result is the same for any number of threads. The ranker has
// no offsets and factors yet. O(sweeps * entries of the rows of all pairs); memory 4 bytes a pair, twice the
// weights, and for each thread 12 bytes a feature and at most 64 MB.
Ranker learn_ranker(const CsrInput& x, const CsrInput& y, Index n_features, Index n_labels,
                    std::span<const Id> candidates, const float* sample_weight, std::span<const float> label_weight,
                    const RankerSettings& settings, std::uint64_t seed, int n_threads);

// One step of the same descent for each pair of further examples, which is the passive-aggressive update PA-II (Crammer
// et al., JMLR 2006): the weights that there are change; pairs of a feature and a label do not join, and biases stay, as
// a few pairs do not say how often a label is wrong elsewhere. Small changes of large margins add up, as they are rounded at random (weights/weights.h); rounding: one number for each pair.
// O(pairs * entries of a row * log of a list's length).
void update_ranker(Ranker& ranker, const CsrInput& x, const CsrInput& y, std::span<const Id> candidates,
                   const RankerSettings& settings, const CounterRng& rounding);

}  // namespace hashslide
