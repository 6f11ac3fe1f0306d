// Hash tables over neurons, the samplers that read them and the estimators of the partition function, on NumPy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "python/arrays.h"
#include "python/names.h"
#include "python/released.h"
#include "sampling/partition.h"
#include "sampling/sampler.h"
#include "tables/neuron_index.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
std::span<const T> span(const In<T>& array) {
    return {array.data(), array.size()};
}

auto sizes(const HashTable& table) {
    std::vector<Index> out(table.n_buckets());
    for (Index b = 0; b < table.n_buckets(); ++b) out[b] = table.size(static_cast<Id>(b));
    return to_array(out);
}

void build_table(HashTable& table, const In<Id>& buckets) {
    std::ranges::copy(span(buckets), table.assign(static_cast<Index>(buckets.size())).begin());
    table.build();
}

void bind_table(nb::module_& m) {
    nb::class_<HashTable>(m, "HashTable", "One hash table: the neurons by bucket.")
        .def(
            "__init__",
            [](HashTable* self, Index n_buckets, const std::string& bucket_policy, Index bucket_size,
               std::uint64_t key) {
                new (self) HashTable(n_buckets, parse(bucket_policy_names, bucket_policy), bucket_size, key);
            },
            "n_buckets"_a, "bucket_policy"_a, "bucket_size"_a, "key"_a)
        .def("build", &build_table, "buckets"_a, "Build the table anew from the bucket of each neuron, -1: none.")
        .def("move", &HashTable::move, "neuron"_a, "bucket"_a, "Move a neuron; False if it is there already.")
        .def("grow", &HashTable::grow, "n_neurons"_a)
        .def(
            "bucket", [](const HashTable& self, Id b) { return to_array(self.bucket(b)); }, "b"_a,
            "Members of a bucket that a look-up sees.")
        .def(
            "restore",
            [](HashTable& self, const In<Id>& buckets, const In<Id>& members, std::uint64_t moves) {
                self.restore(span(buckets), span(members), moves);
            },
            "buckets"_a, "members"_a, "moves"_a)
        .def_prop_ro("n_buckets", &HashTable::n_buckets)
        .def_prop_ro("sizes", &sizes, nb::rv_policy::move, "(n_buckets,) members of each bucket, seen or not.")
        .def_prop_ro(
            "buckets", [](const HashTable& self) { return to_array(self.buckets()); }, nb::rv_policy::move,
            "(n_neurons,) bucket of each neuron, -1: none.")
        .def_prop_ro(
            "members", [](const HashTable& self) { return to_array(self.members()); }, nb::rv_policy::move,
            "The members of all buckets, bucket by bucket, in their order.")
        .def_prop_ro("moves", &HashTable::moves, "Insertions so far.")
        .def_prop_ro("memory_bytes", &HashTable::memory_bytes);
}

// Settings by the names of IndexConfig and its parts.
IndexConfig parse_config(const nb::dict& settings) {
    IndexConfig config;
    const auto set = [&](const char* name, auto& value) {
        if (settings.contains(name)) value = nb::cast<std::remove_cvref_t<decltype(value)>>(settings[name]);
    };
    set("family", config.family.name);
    set("tables", config.family.tables);
    set("hashes", config.family.hashes);
    set("bin_size", config.family.bin_size);
    set("top", config.family.top);
    set("cells", config.family.cells);
    set("bias", config.mips.bias);
    set("centre", config.mips.centre);
    set("centre_queries", config.mips.centre_queries);
    set("augment", config.mips.augment);
    set("norm_ranges", config.mips.norm_ranges);
    set("bucket_size", config.bucket_size);
    set("probes", config.probes);
    set("rehash_first", config.rehash_first);
    set("rehash_growth", config.rehash_growth);
    set("rehash_changed", config.rehash_changed);
    set("rehash_every", config.rehash_every);
    std::string bucket_policy = "reservoir";
    set("bucket_policy", bucket_policy);
    config.bucket_policy = parse(bucket_policy_names, bucket_policy);
    return config;
}

nb::object look_up(const NeuronIndex& self, const VectorsIn& given, int n_threads) {
    std::vector<Id> found;
    const Vectors queries = vectors_of(given, self.map().neurons_width());
    released([&] { self.look_up(queries, found, n_threads); });
    return nb::cast(to_array(found), nb::rv_policy::move).attr("reshape")(queries.n, self.n_tables(), self.probes());
}

}  // namespace

void bind_neuron_index(nb::module_& m) {
    bind_table(m);
    nb::class_<NeuronIndex>(m, "NeuronIndex", "The neurons (weight, bias) of a layer in hash tables.")
        .def(
            "__init__",
            [](NeuronIndex* self, Index n_neurons, Index width, std::uint64_t seed, const nb::kwargs& settings) {
                new (self) NeuronIndex(parse_config(settings), n_neurons, width, seed);
            },
            "n_neurons"_a, "width"_a, "seed"_a, "settings"_a, "Settings have the names of IndexConfig and its parts.")
        .def_prop_ro("ready", &NeuronIndex::ready)
        .def_prop_ro("n_tables", &NeuronIndex::n_tables)
        .def_prop_ro("probes", &NeuronIndex::probes)
        .def_prop_ro("memory_bytes", &NeuronIndex::memory_bytes)
        .def("look_up", &look_up, "queries"_a, "n_threads"_a,
             "(n, n_tables, probes) buckets for the activations (n, width), best first, -1: none.")
        .def(
            "observe",
            [](NeuronIndex& self, const VectorsIn& queries) {
                self.observe(vectors_of(queries, self.map().neurons_width()));
            },
            "queries"_a)
        .def(
            "table",
            [](const NeuronIndex& self, Index t) -> const HashTable& {
                if (self.signs() || t < 0 || t >= self.n_tables()) throw nb::index_error("there is no such table");
                return self.table(t);
            },
            "t"_a, nb::rv_policy::reference_internal)
        .def(
            "touch", [](NeuronIndex& self, const In<Id>& neurons) { self.touch(span(neurons)); }, "neurons"_a)
        .def(
            "maintain",
            [](NeuronIndex& self, const Matrix& weight, const In<float>& bias, Index step, int n_threads) {
                released([&] { self.maintain(neuron_view(weight, bias), step, n_threads); });
            },
            "weight"_a, "bias"_a, "step"_a, "n_threads"_a)
        .def(
            "build",
            [](NeuronIndex& self, const Matrix& weight, const In<float>& bias, int n_threads) {
                released([&] { self.build(neuron_view(weight, bias), n_threads); });
            },
            "weight"_a, "bias"_a, "n_threads"_a)
        .def("grow", &NeuronIndex::grow, "n_neurons"_a)
        .def("state", [](const NeuronIndex& self) { return state_to_dict(self.state()); })
        .def(
            "restore",
            [](NeuronIndex& self, const nb::dict& state, int n_threads) {
                self.restore(state_from_dict(state), n_threads);
            },
            "state"_a, "n_threads"_a);
}

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
