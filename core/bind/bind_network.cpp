#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
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
#include "network/network.h"
#include "python/arrays.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

void bind_model_state(nb::class_<Network>& network);

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

// Offsets and ids of the labels that each row must not get.
using Excluded = std::optional<std::pair<In<Index>, In<Id>>>;

std::optional<CsrInput> excluded_labels(const Network& self, const Excluded& given, const CsrInput& x) {
    if (!given) return std::nullopt;
    const CsrInput excluded = pattern(given->first, given->second, self.config().n_labels);
    if (excluded.n_rows() != x.n_rows()) throw BadInput("exclude has not one row for each row of x.");
    return excluded;
}

auto predict_topk(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, Index k, int n_threads,
                  const Excluded& exclude) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    const std::optional<CsrInput> excluded = excluded_labels(self, exclude, x);
    return topk(x, k, [&](std::int64_t* labels, float* scores) {
        self.predict_topk(x, excluded ? &*excluded : nullptr, k, labels, scores, n_threads);
    });
}

using Rows = std::optional<In<Index>>;

// The rows that are given, or all.
CsrInput chosen(const CsrInput& x, const Rows& rows) { return rows ? x.of({rows->data(), rows->size()}) : x; }

struct NewCandidates {
    std::variant<Candidates, CandidatesExtension> lists;
    bool is_taken = false;
};

struct NewRanker {
    Ranker ranker;
    bool is_taken = false;
};

std::span<const Id> known(const Network& self, const In<Id>& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels.data()[i] < 0 || labels.data()[i] >= self.config().n_labels)
            throw BadInput("labels holds one that the network does not have.");
    return {labels.data(), labels.size()};
}

using Settings = std::tuple<Index, Index, Index>;  // of candidates: feature_labels, cell_labels, probes

auto approximate_topk(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, Index k, Settings settings,
                      int n_threads, const Excluded& exclude) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    const CandidateSettings read = std::make_from_tuple<CandidateSettings>(settings);
    const std::optional<CsrInput> excluded = excluded_labels(self, exclude, x);
    return topk(x, k, [&](std::int64_t* labels, float* scores) {
        self.approximate_topk(x, excluded ? &*excluded : nullptr, k, read, labels, scores, n_threads);
    });
}

// layers: of the input layer, if there is one, and those above it.
Out<float> hidden(const Network& self, In<Index> indptr, In<Id> indices, In<float> data, int n_threads,
                  std::size_t layers) {
    const CsrInput x = csr(indptr, indices, data, self.config().n_features);
    const HiddenStack& stack = self.model().hidden;
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

nb::dict stage_seconds(const Network& self) {
    constexpr const char* names[] = {"hidden_forward",  "active_set",      "output_forward", "loss",
                                     "output_backward", "hidden_backward", "rehash"};
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

    nb::class_<NewRanker>(m, "Ranker", "A ranker, until it is set.");
    nb::class_<NewCandidates>(m, "Candidates", "Lists for approximate_topk, until they are set.").def(nb::init<>());

    nb::class_<Network> network(m, "Network",
                                "The trained network. Arrays must be clean: hashslide.network checks them.");
    network.def(nb::init<const NetworkConfig&>(), "config"_a)
        .def("train_batch", &train_batch, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a,
             "rows"_a, "sample_weight"_a.none(), "learning_rate"_a, "n_threads"_a, "One step on the given rows.")
        .def("predict_topk", &predict_topk, "indptr"_a, "indices"_a, "data"_a, "k"_a, "n_threads"_a,
             "exclude"_a.none() = nb::none(),
             "Ids and logits of the k best labels of each row, best first; -1 where none is left.")
        .def("approximate_topk", &approximate_topk, "indptr"_a, "indices"_a, "data"_a, "k"_a, "settings"_a,
             "n_threads"_a, "exclude"_a.none() = nb::none(),
             "The same among the candidates alone; after set_candidates.")
        .def(
            "learn_candidates",
            [](const Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, bool fresh, int n_threads, Rows rows) {
                const CsrInput x = chosen(csr(x_indptr, x_indices, x_data, self.config().n_features), rows);
                const CsrInput y = chosen(pattern(y_indptr, y_indices, self.config().n_labels), rows);
                NewCandidates made;
                released([&] {
                    if (fresh || self.candidates().empty())
                        made.lists = self.learn_candidates(x, y, n_threads);
                    else
                        made.lists = self.extend_candidates(x, y, n_threads);
                });
                return made;
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "fresh"_a, "n_threads"_a,
            "rows"_a.none() = nb::none(),
            "Lists for approximate_topk from training data; not fresh: the network's own, extended.")
        .def(
            "set_candidates",
            [](Network& self, NewCandidates& made) {
                if (std::exchange(made.is_taken, true)) return;
                std::visit([&](auto& lists) { self.set_candidates(std::move(lists)); }, made.lists);
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
            "pair_logits",
            [](const Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, bool with_ranker, int n_threads) {
                const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
                const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
                auto out = make_array<float>({y_indices.size()});
                released([&] { self.pair_logits(x, y, with_ranker, out.data(), n_threads); });
                return out;
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "with_ranker"_a, "n_threads"_a,
            "Logits of the labels that y holds for each example, in its order.")
        .def(
            "set_label_prior",
            [](Network& self, In<std::int64_t> counts, Index n_examples, bool reset_bias) {
                if (static_cast<Index>(counts.size()) != self.config().n_labels)
                    throw BadInput("counts has not one number for each label.");
                released([&] { self.set_label_prior(counts.data(), n_examples, reset_bias); });
            },
            "counts"_a, "n_examples"_a, "reset_bias"_a = true,
            "Label frequencies: bias, popular labels and inclusion probabilities.")
        .def(
            "update_label_prior",
            [](Network& self, In<Id> labels, In<std::int64_t> counts, Index n_examples) {
                if (labels.size() != counts.size()) throw BadInput("counts has not one number for each label.");
                self.update_label_prior(known(self, labels), counts.data(), n_examples);
            },
            "labels"_a, "counts"_a, "n_examples"_a, "Counts of some labels, each once, among so many examples.")
        .def(
            "label_counts_of",
            [](const Network& self, In<Id> labels) {
                std::vector<Index> counts;
                for (const Id label : known(self, labels)) counts.push_back(self.label_prior().counts()[label]);
                return to_array(counts);
            },
            "labels"_a, "How often each of some labels has occurred.")
        .def(
            "frequent_labels",
            [](const Network& self, Index least) {
                const std::vector<Index>& counts = self.label_prior().counts();
                std::vector<Index> labels, its_counts;
                for (std::size_t label = 0; label < counts.size(); ++label) {
                    if (counts[label] < least) continue;
                    labels.push_back(static_cast<Index>(label));
                    its_counts.push_back(counts[label]);
                }
                return nb::make_tuple(to_array(labels), to_array(its_counts));
            },
            "least"_a, "Labels that have occurred at least so often, ascending, and how often. O(labels).")
        .def_prop_ro(
            "n_label_occurrences", [](const Network& self) { return self.label_prior().n_occurrences(); },
            "How often all labels together have occurred.")
        .def(
            "set_label_weight",
            [](Network& self, In<float> weight) {
                if (static_cast<Index>(weight.size()) != self.config().n_labels)
                    throw BadInput("weight has not one number for each label.");
                self.set_label_weight(weight.data());
            },
            "weight"_a, "Weight of each label's positive term in the loss.")
        .def(
            "learn_ranker",
            [](const Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, std::optional<In<float>> sample_weight, int n_threads, Rows rows) {
                const CsrInput x = chosen(csr(x_indptr, x_indices, x_data, self.config().n_features), rows);
                const CsrInput y = chosen(pattern(y_indptr, y_indices, self.config().n_labels), rows);
                if (sample_weight && static_cast<Index>(sample_weight->size()) != x.n_rows())
                    throw BadInput("sample_weight has not one weight for each example.");
                return NewRanker{released([&] {
                    return self.learn_ranker(x, y, sample_weight ? sample_weight->data() : nullptr, n_threads);
                })};
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "sample_weight"_a.none(),
            "n_threads"_a, "rows"_a.none() = nb::none(), "A ranker from training data and the network's best labels.")
        .def(
            "ranker_parts",
            [](const Network& self, const NewRanker& made, In<Index> x_indptr, In<Id> x_indices, In<float> x_data,
               In<Index> y_indptr, In<Id> y_indices) {
                const CsrInput x = csr(x_indptr, x_indices, x_data, self.config().n_features);
                const CsrInput y = pattern(y_indptr, y_indices, self.config().n_labels);
                if (made.is_taken) throw BadInput("The ranker has been set. Ask for its parts before that.");
                if (x.n_rows() != y.n_rows()) throw BadInput("pairs has not one row for each row of x.");
                self.check_ranker(made.ranker);
                auto margins = make_array<float>({y_indices.size()});
                auto associations = make_array<float>({y_indices.size()});
                released([&] { self.ranker_parts(made.ranker, x, y, margins.data(), associations.data()); });
                return std::pair(margins, associations);
            },
            "ranker"_a, "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a,
            "Margins and associations of the labels that y holds for each example, in its order.")
        .def(
            "set_ranker",
            [](Network& self, NewRanker& made, std::array<float, Blend::n_parts> blend) {
                if (made.is_taken) return;
                self.check_ranker(made.ranker);
                made.is_taken = true;
                self.set_ranker(std::move(made.ranker), Blend{blend});
            },
            "ranker"_a, "blend"_a, "Let it be part of the logits from now on.")
        .def("drop_ranker", &Network::drop_ranker, "Predict by the network alone.")
        .def(
            "describe_labels",
            [](Network& self, In<Index> indptr, In<Id> indices, In<float> data, float gain) {
                const CsrInput x = csr(indptr, indices, data, self.config().n_features);
                released([&] { self.describe_labels(x, gain); });
            },
            "indptr"_a, "indices"_a, "data"_a, "gain"_a,
            "The ranker adds gain times the cosine of an example and a row to each of the last labels.")
        .def(
            "update_ranker",
            [](Network& self, In<Index> x_indptr, In<Id> x_indices, In<float> x_data, In<Index> y_indptr,
               In<Id> y_indices, int n_threads, Rows rows) {
                const CsrInput x = chosen(csr(x_indptr, x_indices, x_data, self.config().n_features), rows);
                const CsrInput y = chosen(pattern(y_indptr, y_indices, self.config().n_labels), rows);
                released([&] { self.update_ranker(x, y, n_threads); });
            },
            "x_indptr"_a, "x_indices"_a, "x_data"_a, "y_indptr"_a, "y_indices"_a, "n_threads"_a,
            "rows"_a.none() = nb::none(),
            "One step of the ranker on each pair of further examples and their labels or best others.")
        .def_prop_ro("has_ranker", [](const Network& self) { return self.model().ranker.enabled(); })
        .def(
            "grow",
            [](Network& self, Index n_features, Index n_labels) { released([&] { self.grow(n_features, n_labels); }); },
            "n_features"_a, "n_labels"_a, "Add features and labels; never removes any.")
        .def(
            "label_rows",
            [](const Network& self, In<Id> labels) {
                const OutputLayer& output = self.model().output;
                const std::size_t n = labels.size(), width = static_cast<std::size_t>(output.width());
                auto weight = make_array<float>({n, width});
                auto bias = make_array<float>({n});
                for (std::size_t i = 0; i < n; ++i) {
                    output.weight.view().copy(labels.data()[i], weight.data() + i * width);
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
        .def_prop_ro("config", &Network::config, nb::rv_policy::reference_internal)
        .def_prop_ro("step", &Network::step, "Batches trained so far.")
        .def_prop_ro("n_examples_seen", &Network::n_examples_seen, "Examples behind the label counts.")
        .def_prop_ro(
            "label_counts", [](const Network& self) { return to_array(self.label_prior().counts()); },
            nb::rv_policy::move, "Examples of each label, (n_labels,).")
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
    bind_model_state(network);
}
