#include "network/model_state.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "network/network.h"

namespace hashslide {

void visit_optimizer(StateVisitor& visitor, const std::string& array, Optimizer& optimizer) {
    for (const Optimizer::NamedArray& a : optimizer.arrays()) {
        const Index rows = a.array->size() / a.width;
        visitor.visit({array + "." + a.name, Role::optimizer,
                       a.width == 1 ? std::vector<Index>{rows} : std::vector<Index>{rows, a.width},
                       a.sums_squares ? Values::squares : Values::numbers},
                      a.array);
    }
}

void visit_weight(StateVisitor& visitor, const std::string& name, Weights& weight, Index rows, Index columns) {
    const ArrayInfo info{name + ".weight", Role::weight, {rows, columns}};
    weight.precision() == Precision::float32 ? visitor.visit(info, &weight.single) : visitor.visit(info, &weight.half);
}

namespace {

void visit_layer(StateVisitor& visitor, const std::string& name, Weights& weight, Array<float>& bias,
                 Optimizer& weight_optimizer, Optimizer& bias_optimizer, Index rows, Index columns) {
    visit_weight(visitor, name, weight, rows, columns);
    visitor.visit({name + ".bias", Role::weight, {bias.size()}}, &bias);
    visit_optimizer(visitor, name + ".weight", weight_optimizer);
    visit_optimizer(visitor, name + ".bias", bias_optimizer);
}

}  // namespace

void visit_neurons(StateVisitor& visitor, const std::string& name, Neurons& neurons) {
    visit_layer(visitor, name, neurons.weight, neurons.bias, neurons.weight_optimizer, neurons.bias_optimizer,
                neurons.n(), neurons.width());
}

namespace {

void visit_inputs(StateVisitor& visitor, const std::string& name, InputLayer& layer) {
    visit_layer(visitor, name, layer.weight, layer.bias, layer.weight_optimizer, layer.bias_optimizer,
                layer.n_features(), layer.hidden());
}

void visit_hidden(StateVisitor& visitor, const std::string& name, HiddenLayer& layer) {
    visit_neurons(visitor, name, layer.neurons);
}

void visit_hidden(StateVisitor& visitor, const std::string& name, DenseOverSparse& layer) {
    visit_inputs(visitor, name, layer.rows);
}

void visit_ranker(StateVisitor& visitor, Ranker& ranker, const NetworkConfig& config) {
    if (!visitor.enter("ranker.begin", ranker.enabled())) return;
    LabelWeights& weights = ranker.weights;
    visitor.visit({"ranker.begin", Role::weight, {config.n_labels + 1}, Values::offsets}, &weights.begin);
    const Index entries = weights.begin[config.n_labels];
    visitor.visit({"ranker.features", Role::weight, {entries}, Values::sorted_ids, config.n_features, &weights.begin},
                  &weights.features);
    visitor.visit({"ranker.margin", Role::weight, {entries}}, &weights.margin);
    visitor.visit({"ranker.association", Role::weight, {entries}}, &weights.association);
    visitor.visit({"ranker.bias", Role::weight, {config.n_labels}}, &ranker.bias);
    visitor.visit({"ranker.offset", Role::weight, {config.n_labels}}, &ranker.offset);
    visitor.visit({"ranker.usual", Role::weight, {config.n_labels}}, &ranker.usual);
    visitor.visit({"ranker.margin_factor", Role::weight, {config.n_labels}}, &ranker.margin_factor);
    visitor.visit({"ranker.association_factor", Role::weight, {config.n_labels}}, &ranker.association_factor);
    visitor.visit({"ranker.blend", Role::weight, {Blend::n_parts}}, &ranker.blend);
}

void visit_lists(StateVisitor& visitor, const std::string& name, LabelLists& lists, Index n, Index n_labels) {
    if (!visitor.replaces() && !lists.is_compact()) {
        LabelLists copy = lists.compact();
        return visit_lists(visitor, name, copy, n, n_labels);
    }
    visitor.visit({name + ".labels", Role::candidates, {-1}, Values::ids, n_labels}, &lists.labels);
    const Index entries = lists.labels.size();
    visitor.visit({name + ".counts", Role::candidates, {entries}}, &lists.counts);
    visitor.visit({name + ".ranges", Role::candidates, {n, 2}, Values::ranges, entries}, &lists.ranges);
}

void visit_candidates(StateVisitor& visitor, Candidates& candidates, const NetworkConfig& config) {
    if (!visitor.enter("candidates.settings", !candidates.empty())) return;
    CandidateSettings& s = candidates.settings;
    std::vector<Index> settings{s.feature_labels, s.cell_labels, s.probes};
    visitor.visit({"candidates.settings", Role::candidates, {3}, Values::counts, std::numeric_limits<Id>::max()},
                  &settings);
    if (visitor.replaces()) s = {settings[0], settings[1], settings[2]};
    QueryCells& cells = candidates.cells;
    visitor.visit({"candidates.cells.offsets", Role::candidates, {-1}}, &cells.offsets);
    if (cells.n() == 0) throw std::invalid_argument("the network's state has candidate lists without cells");
    visitor.visit({"candidates.cells.centres", Role::candidates, {cells.n(), config.width()}}, &cells.centres);
    visit_lists(visitor, "candidates.cells", cells.lists, cells.n(), config.n_labels);
    FeatureLists& features = candidates.features;
    if (!visitor.enter("candidates.features.examples", features.lists.n() > 0)) return;
    visitor.visit({"candidates.features.examples", Role::candidates, {-1}, Values::counts, most_counted},
                  &features.examples);
    if (features.examples.size() > config.n_features)
        throw std::invalid_argument("the network's state has candidate lists of " +
                                    std::to_string(features.examples.size()) + " features; the network has " +
                                    std::to_string(config.n_features));
    visit_lists(visitor, "candidates.features", features.lists, features.examples.size(), config.n_labels);
}

template <class T>
std::string wrong(const ArrayInfo& info, T found) {
    const std::string range = info.values == Values::counts   ? "counts from 0 to " + std::to_string(info.limit)
                              : info.values == Values::ranges ? "places from 0 to " + std::to_string(info.limit)
                                                              : "ids from 0 to " + std::to_string(info.limit - 1);
    return "the array '" + info.name + "' holds " + std::to_string(found) + "; accepted are " + range;
}

std::string text_of(const std::vector<Index>& shape) {
    std::string text;
    for (const Index n : shape) text += (text.empty() ? "" : ", ") + (n < 0 ? "any" : std::to_string(n));
    return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

template <class T>
void check(const ArrayInfo& info, const T* values, Index n) {
    if (info.values == Values::numbers) return;
    if (info.values == Values::offsets) {
        const bool rises = n > 0 && values[0] == 0 && std::is_sorted(values, values + n) &&
                           static_cast<Index>(values[n - 1]) <= most_counted;
        if (!rises) throw std::invalid_argument("the array '" + info.name + "' does not rise from 0");
        return;
    }
    const Index end = info.values == Values::counts || info.values == Values::ranges ? info.limit : info.limit - 1;
    for (Index i = 0; i < n; ++i)
        if (values[i] < 0 || values[i] > end) throw std::invalid_argument(wrong(info, values[i]));
    if (info.values == Values::ranges)
        for (Index i = 0; i < n; i += 2)
            if (values[i] > values[i + 1])
                throw std::invalid_argument("the array '" + info.name + "' has a range that ends before it begins");
    if (info.values != Values::sorted_ids) return;
    for (Index list = 0; list + 1 < info.lists->size(); ++list)
        for (Index i = (*info.lists)[list] + 1; i < (*info.lists)[list + 1]; ++i)
            if (values[i] <= values[i - 1])
                throw std::invalid_argument("the array '" + info.name + "' is not in ascending order within list " +
                                            std::to_string(list));
}

}  // namespace

void Network::visit_state(StateVisitor& visitor) {
    HiddenStack& hidden = model_.hidden;
    if (InputLayer* input = hidden.input()) visit_inputs(visitor, "input", *input);
    for (std::size_t i = 0; i < hidden.layers().size(); ++i)
        std::visit([&](auto& layer) { visit_hidden(visitor, hidden.name(i), layer); }, hidden.layers()[i]);
    visit_neurons(visitor, "output", model_.output);
    visit_ranker(visitor, model_.ranker, config_);

    std::vector<Index> progress{step_, prior_.n_examples()}, counts = prior_.counts();
    visitor.visit({"progress", Role::count, {2}, Values::counts, most_counted}, &progress);
    visitor.visit({"label_counts", Role::count, {config_.n_labels}, Values::counts, progress[1]}, &counts);
    if (visitor.replaces()) {
        step_ = progress[0];
        prior_.set(counts.data(), progress[1], config_.active.popular);
    }

    visit_candidates(visitor, candidates_, config_);
    for (const auto& [layer, index] : indexes()) visitor.visit_tables(layer, *index);
}

void check_shape(const ArrayInfo& info, const std::string& found_type, const std::string& wanted_type,
                 const std::vector<Index>& shape) {
    const bool fits = shape.size() == info.shape.size() &&
                      std::equal(shape.begin(), shape.end(), info.shape.begin(),
                                 [](Index found, Index wanted) { return wanted < 0 || found == wanted; });
    if (found_type == wanted_type && fits) return;
    throw std::invalid_argument("the array '" + info.name + "' is " + found_type + " of shape " + text_of(shape) +
                                "; this network needs " + wanted_type + " of shape " + text_of(info.shape));
}

void check_values(const ArrayInfo& info, const Index* values, Index n) { check(info, values, n); }
void check_values(const ArrayInfo& info, const Id* values, Index n) { check(info, values, n); }

}  // namespace hashslide
