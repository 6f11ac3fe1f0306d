// Sums over all points, estimated without bias: a few points are counted, others drawn in proportion to what they may
// add. How near a cell is says how much its points may add (importance sampling, as with the buckets of Charikar &
// Siminelakis 2017; but cells that are learned give every point a chance that is known exactly).
#pragma once

#include <cstdint>

#include "estimate/point_cells.h"
#include "estimate/terms.h"

namespace hashslide {

enum class SumMethod {
    automatic,  // for each query what its own first draws say is best
    cells,      // draws in proportion to the cells' size and nearness
    uniform,    // every point is drawn with the same chance
    exact       // all points
};

struct SumConfig {
    Term term = Term::gaussian;
    SumMethod method = SumMethod::automatic;
    double error = 0.05;  // relative standard error that is wanted
    Index budget = 0;     // most evaluations of a query, but that the nearest centres are looked at
    std::uint64_t seed = 0;
};

struct SumEstimate {
    double log_sum = 0;     // log of the sum of weight times exp(log_term)
    double error = 0;       // its standard error: that of the sum, relative to it
    Index evaluations = 0;  // of terms, those of the centres included
};

// Estimates for n queries (n, width). Draws depend on the seed and the query's content alone: neither on its place nor
// on the threads. O((cells + budget) * width) a query.
void estimate_sums(const PointCells& cells, const SumConfig& config, const float* queries, Index n, SumEstimate* out,
                   int n_threads);

}  // namespace hashslide
