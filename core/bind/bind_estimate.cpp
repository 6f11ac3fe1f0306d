// Sums over very many points, estimated from a few of them, on NumPy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <string>
#include <tuple>

#include "estimate/cell_sum.h"
#include "python/arrays.h"
#include "python/names.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

const Names<Term> terms{
    {"gaussian", Term::gaussian}, {"exponential", Term::exponential}, {"product", Term::product}};
const Names<SumMethod> methods{{"auto", SumMethod::automatic},
                               {"cells", SumMethod::cells},
                               {"uniform", SumMethod::uniform},
                               {"exact", SumMethod::exact}};

Out<Id> nearest_cells_array(const Matrix& points, Index cells, std::uint64_t seed, int n_threads) {
    std::vector<Id> nearest;
    released([&] {
        nearest = nearest_cells(points.data(), static_cast<Index>(points.shape(0)),
                                static_cast<Index>(points.shape(1)), cells, seed, n_threads);
    });
    return to_array(nearest);
}

// The centres, one after the other, the spreads and the dimension.
std::tuple<Out<float>, Out<float>, double> summaries(const Matrix& points, const In<Index>& begin, int n_threads) {
    CellSummary found;
    released([&] {
        found = summarise(points.data(), static_cast<Index>(points.shape(1)), begin.data(),
                          static_cast<Index>(begin.size()) - 1, n_threads);
    });
    return {to_array(found.centres), to_array(found.spreads), found.dimension};
}

std::tuple<Out<double>, Out<double>, Out<Index>> sums(const Matrix& points, const In<Index>& begin,
                                                      const Matrix& centres, const In<float>& spreads, double dimension,
                                                      std::optional<In<double>> weights, const Matrix& queries,
                                                      const std::string& term, const std::string& method,
                                                      double error, Index budget, std::uint64_t seed, int n_threads) {
    const PointCells cells{points.data(),
                           static_cast<Index>(points.shape(0)),
                           static_cast<Index>(points.shape(1)),
                           begin.data(),
                           centres.data(),
                           spreads.data(),
                           static_cast<Index>(spreads.size()),
                           dimension,
                           weights ? weights->data() : nullptr};
    const SumConfig config{parse(terms, term), parse(methods, method), error, budget, seed};
    std::vector<SumEstimate> found(queries.shape(0));
    released([&] {
        estimate_sums(cells, config, queries.data(), static_cast<Index>(found.size()), found.data(), n_threads);
    });
    std::vector<double> logs, errors;
    std::vector<Index> evaluations;
    for (const SumEstimate& estimate : found) {
        logs.push_back(estimate.log_sum);
        errors.push_back(estimate.error);
        evaluations.push_back(estimate.evaluations);
    }
    return {to_array(logs), to_array(errors), to_array(evaluations)};
}

}  // namespace

void bind_estimate(nb::module_& m) {
    m.def("nearest_cells", &nearest_cells_array, "points"_a, "cells"_a, "seed"_a, "n_threads"_a,
          "(n,) cell of each point, by k-means.");
    m.def("summarise_cells", &summaries, "points"_a, "begin"_a, "n_threads"_a,
          "The centres (flat) and mean squared radii of cells; the points of a cell lie one after the other.");
    m.def("estimate_sums", &sums, "points"_a, "begin"_a, "centres"_a, "spreads"_a, "dimension"_a, "weights"_a, "queries"_a, "term"_a,
          "method"_a, "error"_a, "budget"_a, "seed"_a, "n_threads"_a,
          "For each query the log of the sum, its relative standard error and the evaluations. weights: (n + 1,), sums "
          "of the weights before each point.");
}
