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

// About the mean term of a cell, from its centre and its spread. It only says where draws are worth most.
inline double log_cell_term(Term term, Index width, const float* query, double square, const float* centre,
                            double spread) {
    const double at_centre = log_term(term, width, query, centre);
    if (term == Term::product) return at_centre + 0.5 * square * spread / static_cast<double>(width);
    if (term == Term::gaussian) return at_centre - 0.5 * spread;
    return -std::sqrt(at_centre * at_centre + spread);
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
