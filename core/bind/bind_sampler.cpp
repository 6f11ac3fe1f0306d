// The samplers and the estimators of the partition function on NumPy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bind/arrays.h"
#include "bind/names.h"
#include "bind/released.h"
#include "sampling/partition.h"
#include "sampling/sampler.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

Selection selection(const In<Index>& begin, const In<Id>& ids) {
    return {{begin.data(), begin.data() + begin.size()}, {ids.data(), ids.data() + ids.size()}};
}

std::pair<Out<Index>, Out<Id>> sample_arrays(const std::string& kind, Matrix weight, In<float> bias, VectorsIn queries,
                                             const NeuronIndex* index, Index budget, Index min_count, float alpha,
                                             float beta, std::optional<In<Index>> uncounted_begin,
                                             std::optional<In<Id>> uncounted_ids, std::uint64_t seed,
                                             std::uint64_t step, int n_threads) {
    const SamplerConfig config{parse(sampler_names, kind), budget, min_count, alpha, beta};
    Selection out;
    released([&] {
        const Selection uncounted = uncounted_begin ? selection(*uncounted_begin, *uncounted_ids) : Selection{};
        const NeuronView neurons = neuron_view(weight, bias);
        sample(config, index, neurons, vectors_of(queries, neurons.width()), uncounted_begin ? &uncounted : nullptr,
               CounterRng(seed, Stream::sampler, step), out, n_threads);
    });
    return {to_array(out.begin), to_array(out.ids)};
}

Out<double> estimate(const WeightedSelection& weighted, const NeuronView& neurons, const Matrix& queries,
                     int n_threads) {
    std::vector<double> out(queries.shape(0));
    released([&] {
        log_partition(weighted, neurons, queries.data(), static_cast<Index>(queries.shape(0)), out.data(), n_threads);
    });
    return to_array(out);
}

Out<double> log_partition_found(Matrix weight, In<float> bias, Matrix queries, const NeuronIndex& index, Index hashes,
                                In<Index> begin, In<Id> ids, int n_threads) {
    const NeuronView neurons = neuron_view(weight, bias);
    return estimate(weigh_found(selection(begin, ids), index, hashes, neurons, queries.data(), n_threads), neurons,
                    queries, n_threads);
}

Out<double> log_partition_uniform(Matrix weight, In<float> bias, Matrix queries, In<Index> begin, In<Id> ids,
                                  Index draws, std::uint64_t seed, std::uint64_t step, int n_threads) {
    const NeuronView neurons = neuron_view(weight, bias);
    return estimate(
        add_uniform(selection(begin, ids), neurons.n, draws, CounterRng(seed, Stream::sampler, step), n_threads),
        neurons, queries, n_threads);
}

}  // namespace

void bind_sampler(nb::module_& m) {
    m.def("sample", &sample_arrays, "kind"_a, "weight"_a, "bias"_a, "queries"_a, "index"_a = nb::none(), "budget"_a = 0,
          "min_count"_a = 2, "alpha"_a = 1.0f, "beta"_a = 0.0f, "uncounted_begin"_a = nb::none(),
          "uncounted_ids"_a = nb::none(), "seed"_a = 0, "step"_a = 0, "n_threads"_a = 1,
          "(begin, ids): query q has the neurons ids[begin[q]:begin[q + 1]].");
    m.def("inclusion_probability", &inclusion_probability, "p"_a, "hashes"_a, "tables"_a);
    m.def("log_partition_found", &log_partition_found, "weight"_a, "bias"_a, "queries"_a, "index"_a, "hashes"_a,
          "begin"_a, "ids"_a, "n_threads"_a = 1,
          "log of the estimate of Z from the neurons found in the tables, weighted by their chance to be found.");
    m.def("log_partition_uniform", &log_partition_uniform, "weight"_a, "bias"_a, "queries"_a, "begin"_a, "ids"_a,
          "draws"_a, "seed"_a = 0, "step"_a = 0, "n_threads"_a = 1,
          "log of the estimate of Z from certain neurons and uniform draws for the rest.");
}
