// The protocol `rows` of many machines (docs/machines/how_it_works.md): the step of one machine's own batch on fetched
// rows, and the sums of what the machines push.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/bad_input.h"
#include "distributed/model_shards.h"
#include "python/arrays.h"
#include "python/released.h"
#include "rows/own_batch.h"
#include "rows/shard_rows.h"
#include "simd/kernels.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace hashslide;

template <class T>
using Owned = nb::ndarray<nb::numpy, T, nb::c_contig>;
// bfloat16 comes as the integers of its bits.
using HalfRows = nb::ndarray<const std::uint16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using WeightRows = std::variant<Matrix, HalfRows>;

template <class T>
Owned<T> owned(std::vector<std::size_t> shape) {
    std::size_t size = 1;
    for (const std::size_t s : shape) size *= s;
    T* data = new T[size];
    return Owned<T>(data, shape.size(), shape.data(), nb::capsule(data, [](void* p) noexcept {
                        delete[] static_cast<T*>(p);
                    }));
}

WeightView view_of(const WeightRows& rows, Index n, const NetworkConfig& config) {
    const Index width = config.width();
    const auto check = [&](const auto& array, Precision precision) {
        const bool fits = static_cast<Index>(array.shape(0)) == n && static_cast<Index>(array.shape(1)) == width;
        if (!fits || config.precision != precision) throw std::invalid_argument("rows that do not fit the batch");
    };
    if (const Matrix* single = std::get_if<Matrix>(&rows)) {
        check(*single, Precision::float32);
        return {single->data(), nullptr, width};
    }
    const HalfRows& half = std::get<HalfRows>(rows);
    check(half, Precision::bfloat16);
    return {nullptr, reinterpret_cast<const Bf16*>(half.data()), width};
}

template <class T>
const T* vector_of(const In<T>& array, Index n) {
    if (static_cast<Index>(array.size()) != n) throw std::invalid_argument("rows that do not fit the batch");
    return array.data();
}

// Ids of rows of a shard, which may come from another machine.
std::span<const Id> known(const In<Id>& ids, Index n) {
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (ids.data()[i] < 0 || ids.data()[i] >= n) throw BadInput("a machine names a row that its shard does not have.");
    return {ids.data(), ids.size()};
}

nb::object copies(const Weights& weight, std::span<const Id> ids, Index width) {
    const auto copy = [&](auto out) {
        released([&] { copy_rows(weight, ids, width, out.data()); });
        return nb::cast(out);
    };
    const std::vector<std::size_t> shape{ids.size(), static_cast<std::size_t>(width)};
    return weight.precision() == Precision::float32 ? copy(owned<float>(shape)) : copy(owned<std::uint16_t>(shape));
}

using InputPart = std::pair<In<Id>, Matrix>;
using OutputPart = std::tuple<In<Id>, Matrix, In<float>>;

PushedRows pushed(std::span<const Id> ids, const Matrix& gradient, Index width, const float* bias) {
    if (gradient.shape(0) != ids.size() || static_cast<Index>(gradient.shape(1)) != width)
        throw std::invalid_argument("gradients that do not fit their rows");
    return {ids, gradient.data(), bias};
}

}  // namespace

void bind_rows(nb::module_& m) {
    nb::class_<OwnBatch>(m, "OwnBatch", "The batch of one machine: what it touches, and its gradients.")
        .def(nb::init<const NetworkConfig&>(), "config"_a)
        .def(
            "start",
            [](OwnBatch& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, In<Index> rows, In<Id> popular, std::uint64_t seed, Index number) {
                const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
                const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
                released([&] {
                    self.start(x, y, {rows.data(), rows.size()}, {popular.data(), popular.size()}, seed, number);
                });
                return std::pair(to_array(self.features()), to_array(self.labels()));
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "rows"_a, "popular"_a,
            "seed"_a, "number"_a, "Take a batch; return the features and the labels that it touches.")
        .def(
            "gradients",
            [](OwnBatch& self, const WeightRows& input, const In<float>& hidden_bias, const WeightRows& output,
               const In<float>& output_bias, const In<Index>& counts, const std::optional<In<float>>& label_weight,
               Index n_examples, float mean_labels, Index n_together, const std::optional<In<float>>& sample_weight,
               int n_threads) {
                const NetworkConfig& config = self.config();
                const Index n_features = std::ssize(self.features()), n_labels = std::ssize(self.labels());
                const Index width = config.width();
                const FetchedRows rows{view_of(input, n_features, config),
                                       vector_of(hidden_bias, width),
                                       view_of(output, n_labels, config),
                                       vector_of(output_bias, n_labels),
                                       vector_of(counts, n_labels),
                                       label_weight ? vector_of(*label_weight, n_labels) : nullptr};
                const float* weights = sample_weight ? vector_of(*sample_weight, self.size()) : nullptr;
                auto d_input = owned<float>({static_cast<std::size_t>(n_features), static_cast<std::size_t>(width)});
                auto d_hidden_bias = owned<float>({static_cast<std::size_t>(width)});
                auto d_output = owned<float>({static_cast<std::size_t>(n_labels), static_cast<std::size_t>(width)});
                auto d_output_bias = owned<float>({static_cast<std::size_t>(n_labels)});
                const RowGradients out{d_input.data(), d_hidden_bias.data(), d_output.data(), d_output_bias.data()};
                const double loss =
                    released([&] { return self.gradients(rows, {n_examples, mean_labels}, n_together, weights, out, n_threads); });
                return std::tuple(loss, d_input, d_hidden_bias, d_output, d_output_bias);
            },
            "input"_a.noconvert(), "hidden_bias"_a.noconvert(), "output"_a.noconvert(),
            "output_bias"_a.noconvert(), "counts"_a.noconvert(), "label_weight"_a.noconvert().none(), "n_examples"_a,
            "mean_labels"_a, "n_together"_a, "sample_weight"_a.noconvert().none(), "n_threads"_a,
            "The summed loss, and the gradients of the rows and biases of the hidden layer and of the output.");

    m.def(
        "update_hidden_bias",
        [](ModelShards& shards, const In<float>& gradient, float rate, Index number) {
            shards.update_hidden_bias(vector_of(gradient, shards.config().width()), rate, number);
        },
        "shards"_a, "gradient"_a, "rate"_a, "number"_a, "Update the bias of the hidden layer.");
    m.def(
        "count_step", [](ModelShards& shards) { shards.count_step(); }, "shards"_a);
    m.def(
        "copy_input_rows",
        [](ModelShards& shards, Index shard, const In<Id>& ids) {
            const InputRows& rows = shards.shard(shard).input;
            return copies(rows.weight, known(ids, rows.n_features()), rows.hidden());
        },
        "shards"_a, "shard"_a, "ids"_a.noconvert(), "Weights of rows of an owned shard, as they are stored.");
    m.def(
        "copy_output_rows",
        [](ModelShards& shards, Index shard, const In<Id>& given) {
            ModelShard& owner = shards.shard(shard);
            const OutputLayer& rows = owner.output;
            const std::span<const Id> ids = known(given, rows.n_labels());
            const auto picked = [&]<class T>(const T* all) {
                std::vector<std::remove_const_t<T>> some;
                for (const Id id : ids) some.push_back(all[id]);
                return to_array(some);
            };
            const float* weight = owner.label_weight();
            return nb::make_tuple(copies(rows.weight, ids, rows.width()), picked(rows.bias.data()),
                                  picked(owner.prior().counts().data()), weight ? nb::cast(picked(weight)) : nb::none());
        },
        "shards"_a, "shard"_a, "ids"_a.noconvert(), "Their weights, biases, counts and label weights, or None.");
    m.def(
        "update_input_rows",
        [](ModelShards& shards, Index shard, const std::vector<InputPart>& given, float rate, Index step,
           int n_threads) {
            ModelShard& owner = shards.shard(shard);
            std::vector<PushedRows> parts;
            for (const auto& [ids, gradient] : given)
                parts.push_back(pushed(known(ids, owner.input.n_features()), gradient, owner.input.hidden(), nullptr));
            released([&] { update_input_rows(owner, parts, rate, step, n_threads); });
        },
        "shards"_a, "shard"_a, "parts"_a, "rate"_a, "step"_a, "n_threads"_a,
        "Update rows with (ids, gradients) of each machine, added up in this order.");
    m.def(
        "update_output_rows",
        [](ModelShards& shards, Index shard, const std::vector<OutputPart>& given, float rate, Index step,
           int n_threads) {
            ModelShard& owner = shards.shard(shard);
            std::vector<PushedRows> parts;
            for (const auto& [ids, gradient, bias] : given)
                parts.push_back(pushed(known(ids, owner.output.n_labels()), gradient, owner.output.width(),
                                       vector_of(bias, static_cast<Index>(ids.size()))));
            released([&] { update_output_rows(owner, parts, rate, step, n_threads); });
        },
        "shards"_a, "shard"_a, "parts"_a, "rate"_a, "step"_a, "n_threads"_a,
        "Update rows with (ids, gradients, gradients of the biases) of each machine.");
    m.def(
        "round_randomly",
        [](const In<float>& values, std::uint64_t seed, Index step, std::uint64_t part,
           nb::ndarray<std::uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> out) {
            if (out.size() != values.size()) throw std::invalid_argument("an array of another size");
            const std::uint64_t key = CounterRng(seed, Stream::wire, static_cast<std::uint64_t>(step)).bits(part);
            released([&] {
                kernels().narrow_randomly(static_cast<Index>(values.size()), values.data(), key,
                                          reinterpret_cast<Bf16*>(out.data()));
            });
        },
        "values"_a.noconvert(), "seed"_a, "step"_a, "part"_a, "out"_a.noconvert(),
        "The bits of bfloat16 neighbours, each with the chance that makes the mean right.");
    m.def(
        "sum_rows",
        [](const std::vector<OutputPart>& given, std::size_t width) {
            std::vector<PushedRows> parts;
            for (const auto& [ids, gradient, bias] : given)
                parts.push_back(pushed({ids.data(), ids.size()}, gradient, static_cast<Index>(width),
                                       vector_of(bias, static_cast<Index>(ids.size()))));
            const GroupedRows rows(parts, static_cast<Index>(width));
            auto sums = owned<float>({rows.ids().size(), width});
            std::vector<float> biases, memory(width);
            for (Index i = 0; i < rows.size(); ++i) {
                std::copy_n(rows.gradient(i, memory.data()), width, sums.data() + i * static_cast<Index>(width));
                biases.push_back(rows.bias(i));
            }
            return std::tuple(to_array(rows.ids()), sums, to_array(biases));
        },
        "parts"_a, "width"_a, "Distinct ids, and the sums of their gradients and biases in the order of the parts.");
}
