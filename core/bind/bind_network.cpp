#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include "network.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T, nb::c_contig>;

template <class E>
using Names = std::map<std::string, E>;
const Names<Activation> activations{
    {"identity", Activation::identity}, {"relu", Activation::relu}, {"tanh", Activation::tanh}};
const Names<LossKind> losses{{"bce", LossKind::bce}, {"softmax", LossKind::softmax}};
const Names<OptimizerKind> optimizers{
    {"adagrad", OptimizerKind::adagrad}, {"adam", OptimizerKind::adam}, {"sgd", OptimizerKind::sgd}};

template <class E>
E parse(const Names<E>& names, const std::string& name) {
    const auto found = names.find(name);
    if (found == names.end()) throw std::invalid_argument("unknown name: " + name);
    return found->second;
}

template <class E>
std::string name_of(const Names<E>& names, E value) {
    for (const auto& [name, v] : names)
        if (v == value) return name;
    throw std::logic_error("a value without a name");
}

// Attributes of NetworkConfig: a member, a member with names for its values, a member of a member.
template <auto member>
void plain(nb::class_<NetworkConfig>& config, const char* name) {
    config.def_rw(name, member);
}

template <auto member, class E>
void named(nb::class_<NetworkConfig>& config, const char* name, const Names<E>& names) {
    config.def_prop_rw(
        name, [&names](const NetworkConfig& c) { return name_of(names, c.*member); },
        [&names](NetworkConfig& c, const std::string& v) { c.*member = parse(names, v); });
}

template <auto outer, auto inner>
void part(nb::class_<NetworkConfig>& config, const char* name) {
    using Value = std::remove_cvref_t<decltype((NetworkConfig{}.*outer).*inner)>;
    config.def_prop_rw(
        name, [](const NetworkConfig& c) { return (c.*outer).*inner; },
        [](NetworkConfig& c, Value v) { (c.*outer).*inner = v; });
}

CsrView view(const In<Index>& indptr, const In<Id>& indices, const In<float>& data) {
    return {indptr.data(), indices.data(), data.data(), static_cast<Index>(indptr.shape(0)) - 1};
}

CsrView pattern(const In<Index>& indptr, const In<Id>& indices) {
    return {indptr.data(), indices.data(), nullptr, static_cast<Index>(indptr.shape(0)) - 1};
}

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
    const nb::gil_scoped_release release;
    return self.train_batch(view(x_indptr, x_indices, x_data), pattern(y_indptr, y_indices),
                            {rows.data(), rows.shape(0)}, sample_weight ? sample_weight->data() : nullptr,
                            learning_rate, n_threads);
}

std::pair<Out<std::int64_t>, Out<float>> predict_topk(const Network& self, In<Index> indptr, In<Id> indices,
                                                      In<float> data, Index k, int n_threads) {
    const CsrView x = view(indptr, indices, data);
    const std::size_t n = x.n_rows, width = k;
    auto labels = make_array<std::int64_t>({n, width});
    auto scores = make_array<float>({n, width});
    {
        const nb::gil_scoped_release release;
        self.predict_topk(x, k, labels.data(), scores.data(), n_threads);
    }
    return {labels, scores};
}

Out<float> logits(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, int n_threads) {
    const CsrView x = view(indptr, indices, data);
    auto out =
        make_array<float>({static_cast<std::size_t>(x.n_rows), static_cast<std::size_t>(self.config().n_labels)});
    const nb::gil_scoped_release release;
    self.logits(x, out.data(), n_threads);
    return out;
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
    const std::vector<Index>& counts = self.label_counts();
    auto label_counts = make_array<Index>({counts.size()});
    std::copy(counts.begin(), counts.end(), label_counts.data());
    out["label_counts"] = label_counts;
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

// A network with the arrays of state(). Arrays of the optimiser may be missing: it then starts afresh.
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
    const auto progress = take<Index>(state, "progress", 2);
    network->set_label_prior(take<Index>(state, "label_counts", config.n_labels).data(), progress.data()[1], false);
    network->step = progress.data()[0];
    return network.release();
}

nb::dict stage_seconds(const Network& self) {
    constexpr const char* names[] = {"input_forward",   "active_set",      "output_forward", "direct_forward", "loss",
                                     "output_backward", "direct_backward", "input_backward", "rehash"};
    static_assert(std::size(names) == static_cast<int>(Stage::count));
    nb::dict out;
    for (std::size_t i = 0; i < std::size(names); ++i) out[names[i]] = self.stage_seconds()[i];
    return out;
}

}  // namespace

void bind_network(nb::module_& m) {
    nb::class_<NetworkConfig> config(m, "NetworkConfig",
                                     "Plain settings of a network; hashslide.config documents and checks them.");
    config.def(nb::init<>());
    plain<&NetworkConfig::n_features>(config, "n_features");
    plain<&NetworkConfig::n_labels>(config, "n_labels");
    plain<&NetworkConfig::hidden>(config, "hidden");
    plain<&NetworkConfig::hidden_length>(config, "hidden_length");
    plain<&NetworkConfig::example_power>(config, "example_power");
    plain<&NetworkConfig::input_scale>(config, "input_scale");
    plain<&NetworkConfig::input_init>(config, "input_init");
    plain<&NetworkConfig::input_dropout>(config, "input_dropout");
    plain<&NetworkConfig::hidden_dropout>(config, "hidden_dropout");
    plain<&NetworkConfig::prior_correction>(config, "prior_correction");
    plain<&NetworkConfig::seed>(config, "seed");
    named<&NetworkConfig::activation>(config, "activation", activations);
    named<&NetworkConfig::loss>(config, "loss", losses);
    config.def_prop_rw(
        "optimizer", [](const NetworkConfig& c) { return name_of(optimizers, c.optimizer.kind); },
        [](NetworkConfig& c, const std::string& v) { c.optimizer.kind = parse(optimizers, v); });
    part<&NetworkConfig::optimizer, &OptimizerConfig::momentum>(config, "momentum");
    part<&NetworkConfig::optimizer, &OptimizerConfig::beta1>(config, "beta1");
    part<&NetworkConfig::optimizer, &OptimizerConfig::beta2>(config, "beta2");
    part<&NetworkConfig::optimizer, &OptimizerConfig::epsilon>(config, "epsilon");
    part<&NetworkConfig::optimizer, &OptimizerConfig::initial_accumulator>(config, "initial_accumulator");
    part<&NetworkConfig::optimizer, &OptimizerConfig::weight_decay>(config, "weight_decay");
    part<&NetworkConfig::active, &ActiveSetConfig::uniform>(config, "uniform");
    part<&NetworkConfig::active, &ActiveSetConfig::popular>(config, "popular");
    part<&NetworkConfig::hard, &HardNegativesConfig::per_example>(config, "hard");
    part<&NetworkConfig::hard, &HardNegativesConfig::cells>(config, "cells");
    part<&NetworkConfig::hard, &HardNegativesConfig::probes>(config, "probes");
    part<&NetworkConfig::hard, &HardNegativesConfig::share>(config, "hard_share");
    part<&NetworkConfig::hard, &HardNegativesConfig::first_build>(config, "rehash_first");
    part<&NetworkConfig::hard, &HardNegativesConfig::refresh>(config, "rehash_every");
    part<&NetworkConfig::direct, &DirectTermConfig::labels_per_feature>(config, "direct");
    part<&NetworkConfig::direct, &DirectTermConfig::min_count>(config, "direct_min_count");
    part<&NetworkConfig::direct, &DirectTermConfig::rate>(config, "direct_rate");
    part<&NetworkConfig::direct, &DirectTermConfig::initial_accumulator>(config, "direct_accumulator");

    nb::class_<StepStats>(m, "StepStats", "What one batch reports.")
        .def_ro("loss", &StepStats::loss, "Loss, summed over the examples of the batch.")
        .def_ro("active", &StepStats::active, "Labels in the active set.");

    nb::class_<Network>(m, "Network", "The trained network. Arrays must be clean: hashslide.network checks them.")
        .def(nb::init<const NetworkConfig&>(), "config"_a)
        .def("train_batch", &train_batch, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a,
             "rows"_a, "sample_weight"_a.none(), "learning_rate"_a, "n_threads"_a, "One step on the given rows.")
        .def("predict_topk", &predict_topk, "indptr"_a, "indices"_a, "data"_a, "k"_a, "n_threads"_a,
             "Ids and logits of the k best labels of each row, best first.")
        .def("logits", &logits, "indptr"_a, "indices"_a, "data"_a, "n_threads"_a,
             "Logits of all labels, (n, n_labels).")
        .def(
            "set_label_prior",
            [](Network& self, In<std::int64_t> counts, Index n_examples, bool reset_bias) {
                self.set_label_prior(counts.data(), n_examples, reset_bias);
            },
            "counts"_a, "n_examples"_a, "reset_bias"_a = true,
            "Label frequencies: bias, popular head and inclusion probabilities.")
        .def(
            "set_label_weight", [](Network& self, In<float> weight) { self.set_label_weight(weight.data()); },
            "weight"_a, "Weight of each label's positive term in the loss.")
        .def(
            "choose_direct_pairs",
            [](Network& self, In<Index> x_indptr, In<Id> x_indices, In<Index> y_indptr, In<Id> y_indices,
               int n_threads) {
                const nb::gil_scoped_release release;
                self.choose_direct_pairs(pattern(x_indptr, x_indices), pattern(y_indptr, y_indices), n_threads);
            },
            "x_indptr"_a, "x_indices"_a, "y_indptr"_a, "y_indices"_a, "n_threads"_a,
            "Choose the (feature, label) pairs of the direct term from training data; after set_label_prior.")
        .def("grow", &Network::grow, "n_features"_a, "n_labels"_a, "Add features and labels; never removes any.")
        .def("state", &state, "Read-only views of every array of the network, by name.")
        .def_static("from_state", &from_state, "config"_a, "state"_a, "copy"_a,
                    "A network with the arrays of state(); copy=False borrows them until the first train_batch.")
        .def_prop_ro("config", &Network::config, nb::rv_policy::reference_internal)
        .def_prop_ro(
            "active_labels",
            [](const Network& self) {
                auto out = make_array<std::int64_t>({self.active_labels().size()});
                std::copy(self.active_labels().begin(), self.active_labels().end(), out.data());
                return out;
            },
            nb::rv_policy::move, "Ids of the labels in the last batch's active set.")
        .def_prop_ro("stage_seconds", &stage_seconds, "Seconds spent in each stage of train_batch so far.");
}
