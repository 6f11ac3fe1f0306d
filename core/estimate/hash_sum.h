// Sums over all points by hash tables: hashing-based estimators (Charikar & Siminelakis 2017) with Euclidean hashing
// (Datar, Immorlica, Indyk & Mirrokni 2004).
#pragma once

#include <cstdint>
#include <vector>

#include "estimate/cell_sum.h"
#include "estimate/terms.h"

namespace hashslide {

// L tables of K elementary hashes floor((a . x + b) / w), a normal, b uniform in [0, w). A table holds a random part of
// the points, sorted by code.
struct DistanceTables {
    Index tables, hashes, width, size;
    double bin;                  // w
    const float* directions;     // (tables * hashes, width)
    const float* offsets;        // (tables * hashes,)
    const std::uint64_t* codes;  // (tables, size), ascending
    const Id* ids;               // (tables, size), the points of the codes
};

// Chance that one elementary hash agrees on two vectors at a distance of `ratio` bins:
// 1 - 2 N(-1 / r) - 2 r / sqrt(2 pi) (1 - exp(-1 / (2 r^2))), N the normal distribution.
double agreement(double ratio);

// directions, offsets, codes and ids of `tables` tables, of `size` points each. O(tables * size * hashes * width).
struct DistanceTableArrays {
    std::vector<float> directions, offsets;
    std::vector<std::uint64_t> codes;
    std::vector<Id> ids;
};
DistanceTableArrays make_distance_tables(const float* points, Index n, Index width, Index tables, Index hashes,
                                         double bin, Index size, std::uint64_t seed, int n_threads);

// Each table gives weight * exp(log_term) of one random member of the query's bucket, divided by its chance to be there
// and to be drawn; the estimate is the mean over as many tables as the first ones say are needed, these not included.
// Unbiased over draws of the tables. weights: as in PointCells. O(tables * hashes * width) a query.
void estimate_sums_by_hashing(const DistanceTables& tables, const float* points, Index n, const double* weights,
                              const SumConfig& config, const float* queries, Index n_queries, SumEstimate* out,
                              int n_threads);

}  // namespace hashslide
