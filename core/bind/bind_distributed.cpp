// Shards of a model and the phases of a step between which ranks exchange arrays (hashslide.distributed).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <set>
#include <utility>

#include "distributed/deal.h"
#include "distributed/model_shards.h"
#include "distributed/wire.h"
#include "python/arrays.h"
#include "python/released.h"
#include "python/state_arrays.h"
#include "simd/kernels.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

using Floats = std::vector<In<float>>;

// One array of each rank, of so many floats.
std::vector<const float*> of_ranks(const Floats& parts, std::size_t n_ranks, Index size) {
    if (parts.size() != n_ranks) throw BadInput("there is not one array of each rank.");
    std::vector<const float*> all;
    for (const In<float>& part : parts) {
        if (static_cast<Index>(part.size()) != size) throw BadInput("an array of a rank has another size.");
        all.push_back(part.data());
    }
    return all;
}
// Of the examples that this rank activates.
std::vector<const float*> of_activated(const Floats& parts, const ModelShards& shards) {
    return of_ranks(parts, shards.examples_of().size(), shards.activated().size() * shards.config().width());
}
// Runs of all examples.
std::vector<std::span<const float>> of_all(const Floats& parts, const ModelShards& shards) {
    std::vector<std::span<const float>> all;
    Index size = 0;
    for (const In<float>& part : parts) {
        all.emplace_back(part.data(), part.size());
        size += static_cast<Index>(part.size());
    }
    if (size != shards.n_examples() * shards.config().width()) throw BadInput("the arrays have not one row an example.");
    return all;
}

// A view of memory that belongs to `owner` and changes with its next step.
auto view(std::span<float> values, nb::handle owner) {
    return nb::ndarray<nb::numpy, float, nb::ndim<1>>(values.data(), {values.size()}, owner);
}

std::vector<std::vector<Id>> copied(const std::vector<In<Id>>& arrays) {
    std::vector<std::vector<Id>> all;
    for (const In<Id>& ids : arrays) all.emplace_back(ids.data(), ids.data() + ids.size());
    return all;
}

nb::list write(const ModelShards& self, const In<Index>& x_indptr, const In<Id>& x_indices, const In<float>& x_data,
               const In<Index>& y_indptr, const In<Id>& y_indices, const In<Index>& rows,
               const std::optional<In<float>>& sample_weight, Index ahead) {
    const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
    const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
    if (x.n_rows() != y.n_rows()) throw BadInput("x and y have different numbers of rows. Give each example one of both.");
    if (sample_weight && static_cast<Index>(sample_weight->size()) != x.n_rows())
        throw BadInput("sample_weight has not one weight for each row of x.");
    const auto messages = released([&] {
        return self.write(x, y, {rows.data(), rows.size()}, sample_weight ? sample_weight->data() : nullptr, ahead);
    });
    nb::list out;
    for (const std::vector<Id>& message : messages) out.append(to_array(message));
    return out;
}

nb::dict state_of(const std::set<Role>& wanted, const auto& visit) {
    Views views(wanted);
    visit(views);
    return std::move(views.out);
}

std::set<Role> roles_of(const std::vector<std::string>& names) {
    std::set<Role> some;
    for (const std::string& name : names) some.insert(parse(roles, name));
    return some;
}

void bind_phases(nb::class_<ModelShards>& shards) {
    shards
        .def("write", &write, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "rows"_a,
             "sample_weight"_a.none(), "ahead"_a,
             "What the other ranks need to know of these examples: a message for each.")
        .def(
            "add_up",
            [](nb::handle_t<ModelShards> handle, const std::vector<In<Id>>& messages, int n_threads) {
                ModelShards& self = nb::cast<ModelShards&>(handle);
                std::vector<std::span<const Id>> parts;
                for (const In<Id>& message : messages) parts.emplace_back(message.data(), message.size());
                return view(released([&] { return self.add_up(parts, n_threads); }), handle);
            },
            "messages"_a, "n_threads"_a, "This rank's part of the pre-activations of all examples.")
        .def(
            "add_up_rows",
            [](nb::handle_t<ModelShards> handle, const In<Index>& indptr, const In<Id>& indices, const In<float>& data,
               const std::vector<Index>& examples_of, int n_threads) {
                ModelShards& self = nb::cast<ModelShards&>(handle);
                const CsrInput x = csr(indptr, indices, data, self.config().n_features);
                return view(released([&] { return self.add_up(x, examples_of, n_threads); }), handle);
            },
            "indptr"_a, "indices"_a, "data"_a, "examples_of"_a, "n_threads"_a, "The same for a prediction.")
        .def_prop_ro("examples_of", &ModelShards::examples_of)
        .def(
            "activate",
            [](nb::handle_t<ModelShards> handle, const Floats& parts, int n_threads) {
                ModelShards& self = nb::cast<ModelShards&>(handle);
                const auto sums = of_activated(parts, self);
                return view(released([&] { return self.activate(sums, n_threads); }), handle);
            },
            "parts"_a, "n_threads"_a, "The activations of the examples that this rank activates.")
        .def(
            "score",
            [](ModelShards& self, const Floats& parts, int n_threads) {
                const auto h = of_all(parts, self);
                released([&] { self.score(h, n_threads); });
            },
            "parts"_a, "n_threads"_a)
        .def(
            "softmax_sums",
            [](nb::handle_t<ModelShards> handle) { return view(nb::cast<ModelShards&>(handle).softmax_sums(), handle); })
        .def(
            "normalise",
            [](ModelShards& self, const Floats& sums, int n_threads) {
                const auto all = of_ranks(sums, self.examples_of().size(), std::ssize(self.softmax_sums()));
                released([&] { self.normalise(all, n_threads); });
            },
            "sums"_a, "n_threads"_a)
        .def(
            "backward",
            [](nb::handle_t<ModelShards> handle, int n_threads) {
                ModelShards& self = nb::cast<ModelShards&>(handle);
                return view(released([&] { return self.backward(n_threads); }), handle);
            },
            "n_threads"_a, "This rank's part of the gradients of all examples' activations.")
        .def(
            "update_output",
            [](ModelShards& self, float rate, int n_threads) { released([&] { self.update_output(rate, n_threads); }); },
            "rate"_a, "n_threads"_a)
        .def(
            "backward_hidden",
            [](nb::handle_t<ModelShards> handle, const Floats& parts, int n_threads) {
                ModelShards& self = nb::cast<ModelShards&>(handle);
                const auto dh = of_activated(parts, self);
                return view(released([&] { return self.backward_hidden(dh, n_threads); }), handle);
            },
            "parts"_a, "n_threads"_a)
        .def("report", [](const ModelShards& self) { return to_array(self.report()); })
        .def(
            "update_input",
            [](ModelShards& self, const Floats& parts, float rate, int n_threads) {
                const auto dz = of_all(parts, self);
                released([&] { self.update_input(dz, rate, n_threads); });
            },
            "parts"_a, "rate"_a, "n_threads"_a)
        .def(
            "stats",
            [](const ModelShards& self, const std::vector<In<double>>& reports) {
                std::vector<std::span<const double>> all;
                for (const In<double>& report : reports) all.emplace_back(report.data(), report.size());
                const StepStats stats = self.stats(all);
                return std::pair(stats.loss, stats.active);
            },
            "reports"_a, "Loss and active labels of all shards.")
        .def(
            "gather",
            [](ModelShards& self, const Floats& parts) { self.gather(of_all(parts, self)); }, "parts"_a,
            "The arrays are to stay until best_labels.")
        .def(
            "best_labels",
            [](const ModelShards& self, Index k, nb::ndarray<std::int64_t, nb::ndim<2>, nb::c_contig> labels,
               nb::ndarray<float, nb::ndim<2>, nb::c_contig> scores, int n_threads) {
                released([&] { self.best_labels(k, labels.data(), scores.data(), n_threads); });
            },
            "k"_a, "labels"_a.noconvert(), "scores"_a.noconvert(), "n_threads"_a);
}

void bind_state(nb::class_<ModelShards>& shards) {
    shards
        .def(
            "state",
            [](ModelShards& self, Index shard, const std::vector<std::string>& wanted) {
                return state_of(roles_of(wanted), [&](Views& views) { self.shard(shard).visit_state(views); });
            },
            "shard"_a, "roles"_a, "Read-only arrays of the owned shard of that number, by name.")
        .def(
            "shared_state",
            [](ModelShards& self, const std::vector<std::string>& wanted) {
                return state_of(roles_of(wanted), [&](Views& views) { self.visit_shared(views); });
            },
            "roles"_a, "Read-only arrays that all ranks hold alike, by name.")
        .def(
            "restore",
            [](ModelShards& self, Index shard, const nb::dict& state) {
                Restorer restorer(state);
                self.shard(shard).visit_state(restorer);
                self.visit_shared(restorer);
                restorer.check_all_used();
            },
            "shard"_a, "state"_a, "Copy the arrays of both.");
}

}  // namespace

void bind_distributed(nb::module_& m) {
    m.def(
        "deal",
        [](const In<double>& loads, const In<Id>& order, Index n_shards) {
            return to_array(released([&] {
                return deal({loads.data(), loads.size()}, {order.data(), order.size()}, n_shards);
            }));
        },
        "loads"_a, "order"_a, "n_shards"_a, "The place of each id, local row * n_shards + shard.");

    using Halves = nb::ndarray<std::uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    using Singles = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    m.def(
        "to_wire",
        [](const In<float>& values, std::optional<Singles> residual, Halves out) {
            released([&] {
                to_wire(static_cast<Index>(values.size()), values.data(), residual ? residual->data() : nullptr, out.data());
            });
        },
        "values"_a.noconvert(), "residual"_a.noconvert().none(), "out"_a.noconvert(),
        "Round to bfloat16; residual: see core/distributed/wire.h.");
    m.def(
        "from_wire",
        [](const In<std::uint16_t>& values, Singles out) {
            released([&] { kernels().widen(static_cast<Index>(values.size()), values.data(), out.data()); });
        },
        "values"_a.noconvert(), "out"_a.noconvert());

    nb::class_<ModelShards> shards(m, "ModelShards", "The shards of one rank; see core/distributed.");
    shards
        .def(
            "__init__",
            [](ModelShards* self, const NetworkConfig& config, const In<Id>& feature_places, const In<Id>& label_places,
               Index n_shards, Index rank, bool activates_all, const std::vector<In<Id>>& features,
               const std::vector<In<Id>>& labels) {
                const Places places{{feature_places.data(), feature_places.size()},
                                    {label_places.data(), label_places.size()},
                                    n_shards,
                                    std::ssize(features)};
                new (self) ModelShards(config, places, rank, activates_all, copied(features), copied(labels));
            },
            "config"_a, "feature_places"_a, "label_places"_a, "n_shards"_a, "rank"_a, "activates_all"_a, "features"_a, "labels"_a,
            nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>())
        .def_prop_ro("step", &ModelShards::step)
        .def_prop_ro("n_owned", &ModelShards::n_owned)
        .def("set_mean_labels", &ModelShards::set_mean_labels, "mean"_a)
        .def(
            "set_label_prior",
            [](ModelShards& self, Index shard, const In<Index>& counts, Index n_examples, const In<Id>& popular,
               bool reset_bias) {
                self.shard(shard).set_label_prior(counts.data(), n_examples,
                                                  {popular.data(), popular.data() + popular.size()}, reset_bias);
            },
            "shard"_a, "counts"_a, "n_examples"_a, "popular"_a, "reset_bias"_a,
            "Of the labels of an owned shard, in the order of its rows; popular: rows.")
        .def(
            "set_label_weight",
            [](ModelShards& self, Index shard, const In<float>& weight) {
                self.shard(shard).set_label_weight(weight.data());
            },
            "shard"_a, "weight"_a);
    bind_phases(shards);
    bind_state(shards);
}
