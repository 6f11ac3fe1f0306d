// Many points in cells of near ones, one after the other: what a sum over all of them is estimated from.
#pragma once

#include <vector>

#include "base/types.h"

namespace hashslide {

// The points of cell c are rows begin[c] .. begin[c + 1] - 1.
struct PointCells {
    const float* points;  // (n, width)
    Index n, width;
    const Index* begin;    // (cells + 1,)
    const float* centres;  // (cells, width), the mean of each cell
    const float* spreads;  // (cells,) mean squared distance to it
    Index cells;
    Index outliers;         // the first so many cells, 0 or 1, hold what lies far from every centre
    double dimension;       // of the cells: in so many directions their points spread as if equally far
    const double* weights;  // (n + 1,), sums of the weights of the points before; null: every weight is 1

    Index size(Index c) const { return begin[c + 1] - begin[c]; }
    double weight(Index first, Index last) const {
        return weights ? weights[last] - weights[first] : static_cast<double>(last - first);
    }
    double weight_of(Index c) const { return weight(begin[c], begin[c + 1]); }
    const float* row(Index i) const { return points + i * width; }
};

// The cell of each of n points (n, width): Lloyd's k-means on a sample of at most 32 points a cell, then every point to
// the nearest centre. O(n * cells * width).
std::vector<Id> nearest_cells(const float* points, Index n, Index width, Index cells, std::uint64_t seed,
                              int n_threads);

struct CellSummary {
    std::vector<float> centres, spreads;
    double dimension;
};

// Of points that lie in their cells. The dimension is the participation ratio (tr S)^2 / tr S^2 of the covariances S of
// the cells, where tr S^2 is the mean squared product of two points of a cell, less their mean. O(n * width).
CellSummary summarise(const float* points, Index width, const Index* begin, Index cells, int n_threads);

}  // namespace hashslide
