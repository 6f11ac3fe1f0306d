// The terms of the sums that are estimated, by their logarithms.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/kernels.h"

namespace hashslide {

// log of the term of a query q and a point x; points and queries of densities are in units of the bandwidth.
enum class Term {
    gaussian,     // -|q - x|^2 / 2
    exponential,  // -|q - x|
    product       // q . x
};

inline double log_term(Term term, Index width, const float* query, const float* point) {
    if (term == Term::product) return kernels().dot(width, query, point);
    const double square = kernels().squared_distance(width, query, point);
    return term == Term::gaussian ? -0.5 * square : -std::sqrt(square);
}

// What a cell promises: the logarithms of the mean term and of the mean squared term, if its points had a normal
// distribution around its centre with the variance s^2 in each of `dimension` directions. That says where draws are
// worth most and how many are needed; no estimate's mean depends on it.
struct CellPromise {
    double log_mean, log_square;
};

// For a gaussian kernel the integrals are closed: E exp(-|q - x|^2 / 2) =
// (1 + s^2)^(-dimension / 2) exp(-D^2 / (2 (1 + s^2))), D the distance to the centre.
inline CellPromise cell_promise(Term term, double dimension, double variance, double at_centre, double query_square) {
    if (term == Term::product)
        return {at_centre + 0.5 * query_square * variance, 2.0 * at_centre + 2.0 * query_square * variance};
    if (term == Term::gaussian)
        return {-0.5 * dimension * std::log1p(variance) + at_centre / (1.0 + variance),
                -0.5 * dimension * std::log1p(2.0 * variance) + 2.0 * at_centre / (1.0 + 2.0 * variance)};
    const double distance = std::sqrt(at_centre * at_centre + (dimension - 1.0) * variance);
    return {std::min(0.0, 0.5 * variance - distance), std::min(0.0, 2.0 * variance - 2.0 * distance)};
}

// A sum of exp(x), as a multiple of the largest, so that nothing overflows or vanishes.
class LogSum {
public:
    void add(double x) {
        if (x > largest_) {
            sum_ = sum_ * std::exp(largest_ - x) + 1.0;
            largest_ = x;
        } else if (x > -std::numeric_limits<double>::infinity()) {
            sum_ += std::exp(x - largest_);
        }
    }
    double log() const { return sum_ > 0 ? largest_ + std::log(sum_) : -std::numeric_limits<double>::infinity(); }

private:
    double largest_ = -std::numeric_limits<double>::infinity(), sum_ = 0;
};

}  // namespace hashslide
