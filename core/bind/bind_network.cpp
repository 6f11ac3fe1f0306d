#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "base/parallel.h"
#include "bind/arrays.h"
#include "bind/bind_state.h"
#include "bind/released.h"
#include "network/network.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::c_contig>;

// A fresh NumPy array that owns its memory.
template <class T>
Out<T> make_array(std::initializer_list<std::size_t> shape) {
    std::size_t size = 1;
    for (const std::size_t s : shape) size *= s;
    T* data = new T[size];
    return Out<T>(data, shape, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); }));
}

StepStats train_batch(Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
                      In<Id> y_indices, In<Index> rows, std::optional<In<float>> sample_weight, float learning_rate,
                      int n_threads) {
    const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
    const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
    if (sample_weight && static_cast<Index>(sample_weight->size()) != x.n_rows())
        throw BadInput("sample_weight has not one weight for each row of x.");
    return released([&] {
        return self.train_batch(x, y, {rows.data(), rows.shape(0)}, sample_weight ? sample_weight->data() : nullptr,
                                learning_rate, n_threads);
    });
}

// predict(labels, scores): of x.n_rows() rows of k.
template <class F>
std::pair<Out<std::int64_t>, Out<float>> topk(const CsrInput& x, Index k, F&& predict) {
    const std::size_t n = x.n_rows(), width = k;
    auto labels = make_array<std::int64_t>({n, width});
    auto scores = make_array<float>({n, width});
    released([&] { predict(labels.data(), scores.data()); });
    return {labels, scores};
}

auto predict_topk(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, Index k, int n_threads) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    return topk(x, k, [&](std::int64_t* labels, float* scores) { self.predict_topk(x, k, labels, scores, n_threads); });
}

struct NewCandidates {
    Candidates lists;
    bool is_taken = false;
};

using Settings = std::tuple<Index, Index, Index>;  // of candidates: feature_labels, cell_labels, probes

auto approximate_topk(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, Index k, Settings settings,
                      int n_threads) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    const CandidateSettings read = std::make_from_tuple<CandidateSettings>(settings);
    return topk(x, k, [&](std::int64_t* labels, float* scores) {
        self.approximate_topk(x, k, read, labels, scores, n_threads);
    });
}

// layers: of the input layer, if there is one, and those above it.
Out<float> hidden(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, int n_threads,
                  std::size_t layers) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    const HiddenStack& stack = self.hidden_stack();
    const std::size_t inputs = stack.input() ? 1 : 0;
    if (layers < inputs || layers > inputs + stack.layers().size())
        throw std::invalid_argument("there is no layer number " + std::to_string(layers));
    const std::size_t width = static_cast<std::size_t>(stack.width_after(layers - inputs));
    auto out = make_array<float>({static_cast<std::size_t>(x.n_rows()), width});
    released([&] { self.hidden(x, layers - inputs, out.data(), n_threads); });
    return out;
}

Out<float> logits(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, int n_threads) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    auto out =
        make_array<float>({static_cast<std::size_t>(x.n_rows()), static_cast<std::size_t>(self.config().n_labels)});
    released([&] { self.logits(x, out.data(), n_threads); });
    return out;
}

template <class T>
void add_array(nb::dict& out, const std::string& name, const Array<T>& array, nb::handle owner, Index columns = 0) {
    const Index rows = columns ? array.size() / columns : array.size();
    const std::size_t shape[2] = {static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)};
    out[name.c_str()] = Out<const T>(array.data(), columns ? 2 : 1, shape, owner);
}

void add_lists(nb::dict& out, const std::string& name, const LabelLists& lists, nb::handle owner) {
    add_array(out, name + ".begin", lists.begin, owner);
    add_array(out, name + ".labels", lists.labels, owner);
    add_array(out, name + ".counts", lists.counts, owner);
}

void add_candidates(nb::dict& out, nb::handle_t<Network> self) {
    const Network& network = nb::cast<const Network&>(self);
    const Candidates& candidates = network.candidates();
    const CandidateSettings& s = candidates.settings;
    out["candidates.settings"] = to_array(std::vector<Index>{s.feature_labels, s.cell_labels, s.probes});
    add_array(out, "candidates.cells.centres", candidates.cells.centres, self, network.output().width());
    add_array(out, "candidates.cells.offsets", candidates.cells.offsets, self);
    add_lists(out, "candidates.cells", candidates.cells.lists, self);
    if (candidates.features.lists.n() == 0) return;
    add_array(out, "candidates.features.examples", candidates.features.examples, self);
    add_lists(out, "candidates.features", candidates.features.lists, self);
}

// Read-only views of the network's own arrays; each keeps the network alive. They are invalid after train_batch() of a
// borrowed network and after grow().
nb::dict state(nb::handle_t<Network> self_object) {
    Network& self = nb::cast<Network&>(self_object);
    nb::dict out;
    for (const Network::NamedArray& a : self.arrays()) {
        const std::size_t shape[2] = {static_cast<std::size_t>(a.rows), static_cast<std::size_t>(a.columns)};
        out[a.name.c_str()] = Out<const float>(a.array->data(), a.columns ? 2 : 1, shape, self_object);
    }
    DirectTerm& direct = self.direct();
    if (direct.enabled()) {
        const auto view = [&self_object](auto& array) {
            using T = std::remove_reference_t<decltype(array[0])>;
            const std::size_t shape[1] = {static_cast<std::size_t>(array.size())};
            return Out<const T>(array.data(), 1, shape, self_object);
        };
        out["direct.begin"] = view(direct.begin);
        out["direct.labels"] = view(direct.labels);
        out["direct.weight"] = view(direct.weight);
        out["direct.adagrad"] = view(direct.accumulator);
    }
    if (!self.candidates().empty()) add_candidates(out, self_object);
    for (const auto& [layer, index] : self.indexes())
        for (const auto& [name, values] : index->state())
            std::visit([&, key = layer + ".index." + name](const auto& v) { out[key.c_str()] = to_array(v); }, values);
    out["label_counts"] = to_array(self.label_counts());
    auto progress = make_array<Index>({2});
    progress.data()[0] = self.step;
    progress.data()[1] = self.n_examples_seen();
    out["progress"] = progress;
    return out;
}

template <class T>
nb::ndarray<const T, nb::c_contig, nb::device::cpu> take(const nb::dict& state, const std::string& name, Index size) {
    auto array = nb::cast<nb::ndarray<const T, nb::c_contig, nb::device::cpu>>(state[name.c_str()]);
    if (static_cast<Index>(array.size()) != size) throw std::invalid_argument(name + " has the wrong size");
    return array;
}

template <class T>
void restore(Array<T>& array, const nb::ndarray<const T, nb::c_contig, nb::device::cpu>& from, bool copy) {
    array = Array<T>::borrow(from.data(), static_cast<Index>(from.size()));
    if (copy) array.own();
}

template <class T>
void restore_any(Array<T>& array, const nb::dict& state, const std::string& name, bool copy) {
    restore(array, nb::cast<nb::ndarray<const T, nb::c_contig, nb::device::cpu>>(state[name.c_str()]), copy);
}

// Their sizes have been checked in Python.
void restore_candidates(Network& network, const nb::dict& state, bool copy) {
    Candidates& candidates = network.candidates();
    const auto settings = take<Index>(state, "candidates.settings", 3);
    candidates.settings = {settings.data()[0], settings.data()[1], settings.data()[2]};
    restore_any(candidates.cells.centres, state, "candidates.cells.centres", copy);
    restore_any(candidates.cells.offsets, state, "candidates.cells.offsets", copy);
    const auto restore_lists = [&](LabelLists& lists, const std::string& name) {
        restore_any(lists.begin, state, name + ".begin", copy);
        restore_any(lists.labels, state, name + ".labels", copy);
        restore_any(lists.counts, state, name + ".counts", copy);
    };
    restore_lists(candidates.cells.lists, "candidates.cells");
    if (!state.contains("candidates.features.begin")) return;
    restore_any(candidates.features.examples, state, "candidates.features.examples", copy);
    restore_lists(candidates.features.lists, "candidates.features");
}

// The arrays of one layer's hash tables; empty if they were not saved.
State index_state(const nb::dict& state, const std::string& layer) {
    nb::dict part;
    const std::string prefix = layer + ".index.";
    for (const auto& [key, value] : state) {
        const std::string name = nb::cast<std::string>(key);
        if (name.starts_with(prefix)) part[name.substr(prefix.size()).c_str()] = value;
    }
    return state_from_dict(part);
}

// A network with the arrays of state(). Arrays of the optimiser may be missing: it then starts afresh. Without their
// arrays the hash tables are built again.
Network* from_state(const NetworkConfig& config, const nb::dict& state, bool copy) {
    auto network = std::make_unique<Network>(config, false);
    for (const Network::NamedArray& a : network->arrays()) {
        if (!state.contains(a.name.c_str()) && a.is_optimizer_state) continue;
        restore(*a.array, take<float>(state, a.name, a.array->size()), copy);
    }
    if (state.contains("direct.labels")) {
        DirectTerm& direct = network->direct();
        const Index n = static_cast<Index>(nb::len(nb::handle(nb::object(state["direct.labels"]))));
        restore(direct.begin, take<Index>(state, "direct.begin", config.n_features + 1), copy);
        restore(direct.labels, take<Id>(state, "direct.labels", n), copy);
        restore(direct.weight, take<float>(state, "direct.weight", n), copy);
        if (state.contains("direct.adagrad"))
            restore(direct.accumulator, take<float>(state, "direct.adagrad", n), copy);
        else
            direct.accumulator = Array<float>(n);
    }
    if (state.contains("candidates.settings")) restore_candidates(*network, state, copy);
    const auto progress = take<Index>(state, "progress", 2);
    network->set_label_prior(take<Index>(state, "label_counts", config.n_labels).data(), progress.data()[1], false);
    network->step = progress.data()[0];
    for (const auto& [layer, index] : network->indexes())
        if (const State saved = index_state(state, layer); !saved.empty()) index->restore(saved, 1);
    network->build_tables();
    return network.release();
}

nb::dict stage_seconds(const Network& self) {
    constexpr const char* names[] = {"hidden_forward",  "active_set",      "output_forward",  "direct_forward", "loss",
                                     "output_backward", "direct_backward", "hidden_backward", "rehash"};
    static_assert(std::size(names) == static_cast<int>(Stage::count));
    const StageSeconds seconds = self.stage_seconds();
    nb::dict out;
    for (std::size_t i = 0; i < std::size(names); ++i) out[names[i]] = seconds[i];
    return out;
}

}  // namespace

void bind_network(nb::module_& m) {
    nb::class_<StepStats>(m, "StepStats", "What one batch reports.")
        .def_ro("loss", &StepStats::loss, "Loss, summed over the examples of the batch.")
        .def_ro("active", &StepStats::active, "Labels in the active set.");

    nb::class_<NewCandidates>(m, "Candidates", "Lists for approximate_topk, until they are set.").def(nb::init<>());

    nb::class_<Network>(m, "Network", "The trained network. Arrays must be clean: hashslide.network checks them.")
        .def(nb::init<const NetworkConfig&>(), "config"_a)
        .def("train_batch", &train_batch, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a,
             "rows"_a, "sample_weight"_a.none(), "learning_rate"_a, "n_threads"_a, "One step on the given rows.")
        .def("predict_topk", &predict_topk, "indptr"_a, "indices"_a, "data"_a, "k"_a, "n_threads"_a,
             "Ids and logits of the k best labels of each row, best first.")
        .def("approximate_topk", &approximate_topk, "indptr"_a, "indices"_a, "data"_a, "k"_a, "settings"_a,
             "n_threads"_a, "The same among the candidates alone; after set_candidates.")
        .def(
            "learn_candidates",
            [](const Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, bool fresh, int n_threads) {
                const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
                const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
                return NewCandidates{released([&] { return self.learn_candidates(x, y, fresh, n_threads); })};
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "fresh"_a, "n_threads"_a,
            "Lists for approximate_topk from training data; not fresh: the network's own, extended.")
        .def(
            "set_candidates",
            [](Network& self, NewCandidates& made) {
                if (!std::exchange(made.is_taken, true)) self.set_candidates(std::move(made.lists));
            },
            "candidates"_a, "Take the lists over. Nothing happens if that has been done before.")
        .def_prop_ro("has_candidates", [](const Network& self) { return !self.candidates().empty(); })
        .def_prop_rw(
            "candidate_settings",
            [](const Network& self) {
                const CandidateSettings& s = self.candidates().settings;
                return Settings(s.feature_labels, s.cell_labels, s.probes);
            },
            [](Network& self, const Settings& s) {
                self.candidates().settings = std::make_from_tuple<CandidateSettings>(s);
            },
            "(feature_labels, cell_labels, probes): how much of the lists approximate_topk should read.")
        .def("hidden", &hidden, "indptr"_a, "indices"_a, "data"_a, "n_threads"_a, "layers"_a,
             "Activations after so many hidden layers, (n, width).")
        .def("logits", &logits, "indptr"_a, "indices"_a, "data"_a, "n_threads"_a,
             "Logits of all labels, (n, n_labels).")
        .def(
            "set_label_prior",
            [](Network& self, In<std::int64_t> counts, Index n_examples, bool reset_bias) {
                if (static_cast<Index>(counts.size()) != self.config().n_labels)
                    throw BadInput("counts has not one number for each label.");
                released([&] { self.set_label_prior(counts.data(), n_examples, reset_bias); });
            },
            "counts"_a, "n_examples"_a, "reset_bias"_a = true,
            "Label frequencies: bias, popular head and inclusion probabilities.")
        .def(
            "set_label_weight",
            [](Network& self, In<float> weight) {
                if (static_cast<Index>(weight.size()) != self.config().n_labels)
                    throw BadInput("weight has not one number for each label.");
                self.set_label_weight(weight.data());
            },
            "weight"_a, "Weight of each label's positive term in the loss.")
        .def(
            "choose_direct_pairs",
            [](Network& self, In<Index> x_indptr, In<Id> x_indices, In<Index> y_indptr, In<Id> y_indices,
               int n_threads) {
                const CsrInput x = pattern(x_indptr, x_indices, self.config().n_features);
                const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
                released([&] { self.choose_direct_pairs(x, y, n_threads); });
            },
            "x_indptr"_a, "x_indices"_a, "y_indptr"_a, "y_indices"_a, "n_threads"_a,
            "Choose the (feature, label) pairs of the direct term from training data; after set_label_prior.")
        .def(
            "grow",
            [](Network& self, Index n_features, Index n_labels) { released([&] { self.grow(n_features, n_labels); }); },
            "n_features"_a, "n_labels"_a, "Add features and labels; never removes any.")
        .def(
            "label_rows",
            [](const Network& self, In<Id> labels) {
                const OutputLayer& output = self.output();
                const std::size_t n = labels.size(), width = static_cast<std::size_t>(output.width());
                auto weight = make_array<float>({n, width});
                auto bias = make_array<float>({n});
                for (std::size_t i = 0; i < n; ++i) {
                    std::copy_n(output.row(labels.data()[i]), width, weight.data() + i * width);
                    bias.data()[i] = output.bias[labels.data()[i]];
                }
                return std::pair(weight, bias);
            },
            "labels"_a, "Copies of the output rows of some labels: weight (n, width) and bias (n,).")
        .def(
            "set_label_rows",
            [](Network& self, In<Id> labels, Matrix weight, In<float> bias) {
                self.set_label_rows({labels.data(), labels.size()}, weight.data(), bias.data());
            },
            "labels"_a, "weight"_a, "bias"_a, "Set the output rows of some labels.")
        .def("state", &state, "Read-only views of every array of the network, by name.")
        .def_static("from_state", &from_state, "config"_a, "state"_a, "copy"_a,
                    "A network with the arrays of state(); copy=False borrows them until the first train_batch.")
        .def_prop_ro("config", &Network::config, nb::rv_policy::reference_internal)
        .def_prop_ro(
            "step", [](const Network& self) { return self.step; }, "Batches trained so far.")
        .def_prop_ro("n_examples_seen", &Network::n_examples_seen, "Examples behind the label counts.")
        .def_prop_ro(
            "label_counts", [](const Network& self) { return to_array(self.label_counts()); }, nb::rv_policy::move,
            "Examples of each label, (n_labels,).")
        .def_prop_ro(
            "active_labels",
            [](const Network& self) {
                const std::vector<Id> labels = self.active_labels();
                return to_array(std::vector<Index>(labels.begin(), labels.end()));
            },
            nb::rv_policy::move, "Ids of the labels in the last batch's active set.")
        .def_prop_ro("multiplications", &Network::multiplications,
                     "Multiplications of the layers' products and of hashing in all steps so far.")
        .def(
            "rebuild_tables", [](Network& self, int n_threads) { released([&] { self.rebuild_tables(n_threads); }); },
            "n_threads"_a, "Build all hash tables anew, with fresh functions.")
        .def_prop_ro(
            "table_bytes",
            [](Network& self) {
                nb::dict out;
                for (const auto& [layer, index] : self.indexes()) out[layer.c_str()] = index->memory_bytes();
                return out;
            },
            nb::rv_policy::move, "Memory of each layer's hash tables.")
        .def_prop_ro("stage_seconds", &stage_seconds, "Seconds spent in each stage of train_batch so far.");
}
