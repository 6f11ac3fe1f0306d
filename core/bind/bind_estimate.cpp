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
#include "estimate/hash_sum.h"
#include "python/arrays.h"
#include "python/names.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

const Names<Term> terms{{"gaussian", Term::gaussian}, {"exponential", Term::exponential}, {"product", Term::product}};
const Names<SumMethod> methods{{"auto", SumMethod::automatic},
                               {"cells", SumMethod::cells},
                               {"uniform", SumMethod::uniform},
                               {"exact", SumMethod::exact}};

Out<Id> nearest_cells_array(const Matrix& points, Index cells, std::uint64_t seed, int n_threads) {
    std::vector<Id> nearest;
    released([&] {
        nearest = nearest_cells(points.data(), static_cast<Index>(points.shape(0)), static_cast<Index>(points.shape(1)),
                                cells, seed, n_threads);
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

using Estimates = std::tuple<Out<double>, Out<double>, Out<Index>>;

template <class Estimate>
Estimates estimates(const Matrix& queries, Estimate&& estimate) {
    std::vector<SumEstimate> found(queries.shape(0));
    released([&] { estimate(static_cast<Index>(found.size()), found.data()); });
    std::vector<double> logs, errors;
    std::vector<Index> evaluations;
    for (const SumEstimate& one : found) {
        logs.push_back(one.log_sum);
        errors.push_back(one.error);
        evaluations.push_back(one.evaluations);
    }
    return {to_array(logs), to_array(errors), to_array(evaluations)};
}

Estimates sums(const Matrix& points, const In<Index>& begin, const Matrix& centres, const In<float>& spreads,
               Index outliers, double dimension, std::optional<In<double>> weights, const Matrix& queries,
               const std::string& term, const std::string& method, double error, Index budget, std::uint64_t seed,
               int n_threads) {
    const PointCells cells{points.data(),
                           static_cast<Index>(points.shape(0)),
                           static_cast<Index>(points.shape(1)),
                           begin.data(),
                           centres.data(),
                           spreads.data(),
                           static_cast<Index>(spreads.size()),
                           outliers,
                           dimension,
                           weights ? weights->data() : nullptr};
    const SumConfig config{parse(terms, term), parse(methods, method), error, budget, seed};
    return estimates(
        queries, [&](Index n, SumEstimate* out) { estimate_sums(cells, config, queries.data(), n, out, n_threads); });
}

// directions, offsets, codes and ids, each flat.
std::tuple<Out<float>, Out<float>, Out<std::uint64_t>, Out<Id>> distance_tables(const Matrix& points, Index tables,
                                                                                Index hashes, double bin, Index size,
                                                                                std::uint64_t seed, int n_threads) {
    DistanceTableArrays made;
    released([&] {
        made = make_distance_tables(points.data(), static_cast<Index>(points.shape(0)),
                                    static_cast<Index>(points.shape(1)), tables, hashes, bin, size, seed, n_threads);
    });
    return {to_array(made.directions), to_array(made.offsets), to_array(made.codes), to_array(made.ids)};
}

Estimates sums_by_hashing(const Matrix& points, std::optional<In<double>> weights, const In<float>& directions,
                          const In<float>& offsets, const In<std::uint64_t>& codes, const In<Id>& ids, Index tables,
                          double bin, const Matrix& queries, const std::string& term, double error, std::uint64_t seed,
                          int n_threads) {
    const Index n_points = static_cast<Index>(points.shape(0));
    const DistanceTables view{tables,
                              static_cast<Index>(offsets.size()) / tables,
                              static_cast<Index>(points.shape(1)),
                              static_cast<Index>(ids.size()) / tables,
                              bin,
                              directions.data(),
                              offsets.data(),
                              codes.data(),
                              ids.data()};
    const SumConfig config{.term = parse(terms, term), .error = error, .seed = seed};
    return estimates(queries, [&](Index n, SumEstimate* out) {
        estimate_sums_by_hashing(view, points.data(), n_points, weights ? weights->data() : nullptr, config,
                                 queries.data(), n, out, n_threads);
    });
}

}  // namespace

void bind_estimate(nb::module_& m) {
    m.def("nearest_cells", &nearest_cells_array, "points"_a, "cells"_a, "seed"_a, "n_threads"_a,
          "(n,) cell of each point, by k-means.");
    m.def("summarise_cells", &summaries, "points"_a, "begin"_a, "n_threads"_a,
          "The centres (flat), mean squared radii and dimension of cells, whose points lie one after the other.");
    m.def("estimate_sums", &sums, "points"_a, "begin"_a, "centres"_a, "spreads"_a, "outliers"_a, "dimension"_a,
          "weights"_a, "queries"_a, "term"_a, "method"_a, "error"_a, "budget"_a, "seed"_a, "n_threads"_a,
          "For each query the log of the sum, its relative standard error and the evaluations. weights: (n + 1,), sums "
          "of the weights before each point.");
    m.def("distance_agreement", &agreement, "ratio"_a,
          "Chance that one Euclidean hash agrees on two points at a distance of so many bins.");
    m.def("distance_tables", &distance_tables, "points"_a, "tables"_a, "hashes"_a, "bin"_a, "size"_a, "seed"_a,
          "n_threads"_a, "Directions, offsets, codes and ids of tables of Euclidean hashes, flat.");
    m.def("estimate_sums_by_hashing", &sums_by_hashing, "points"_a, "weights"_a, "directions"_a, "offsets"_a, "codes"_a,
          "ids"_a, "tables"_a, "bin"_a, "queries"_a, "term"_a, "error"_a, "seed"_a, "n_threads"_a,
          "As estimate_sums, by one member of the query's bucket of each table.");
}
