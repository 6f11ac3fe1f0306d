#include "layers/hidden_stack.h"

#include <algorithm>

#include "base/parallel.h"

namespace hashslide {
namespace {

double touched_features(const BatchFeatures& batch) {
    double n = 0;
    for (Index b = 0; b < batch.n_examples(); ++b) n += static_cast<double>(batch.ids(b).size());
    return n;
}

// Whether each example has any, given the values of its features.
template <class F>
std::vector<char> has_features(Index n, F&& values) {
    std::vector<char> has(n);
    for (Index b = 0; b < n; ++b) has[b] = std::ranges::any_of(values(b), [](float v) { return v != 0; });
    return has;
}

// Without those that are dropped or 0.
void copy_features(const BatchFeatures& batch, Index n_features, Activations& out) {
    out.start_sparse(batch.n_examples(), n_features);
    for (Index b = 0; b < out.n; ++b) {
        for (std::size_t j = 0; j < batch.ids(b).size(); ++j) {
            if (batch.values(b)[j] == 0) continue;
            out.push(batch.ids(b)[j], batch.values(b)[j]);
        }
        out.begin.push_back(out.entries());
    }
}

// Null for a layer without hash tables.
template <class Layer>
auto* hashed(Layer& layer) {
    auto* found = std::get_if<HiddenLayer>(&layer);
    return found && found->selector().index() ? found : nullptr;
}

}  // namespace

HiddenStack::HiddenStack(Index n_features, const std::vector<LayerConfig>& layers, float input_init,
                         const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed)
    : n_features_(n_features) {
    const LayerConfig& first = layers.front();
    Index width = n_features;
    std::size_t next = 0;
    if (first.is_dense()) {
        input_ = std::make_unique<InputLayer>(n_features, first.width, first.function(), input_init, optimizer,
                                              precision, seed);
        width = first.width;
        next = 1;
    }
    for (; next < layers.size(); width = layers[next++].width) {
        const bool is_over_sparse = next > 0 && !layers[next - 1].predicts_densely();
        const auto add = [&]<class Kind>(std::in_place_type_t<Kind> kind) {
            layers_.emplace_back(kind, layers[next], width, optimizer, precision, seed, static_cast<int>(next));
        };
        layers[next].is_dense() && is_over_sparse ? add(std::in_place_type<DenseOverSparse>)
                                                  : add(std::in_place_type<HiddenLayer>);
    }
    for (const LayerConfig& layer : layers) dropout_.push_back(layer.dropout);
}

void HiddenStack::initialise() {
    if (input_) input_->initialise();
    for (Layer& any : layers_) std::visit([](auto& layer) { layer.initialise(); }, any);
}

void HiddenStack::build_tables(int n_threads) {
    for (Layer& any : layers_)
        if (HiddenLayer* layer = hashed(any)) layer->build_tables(n_threads);
}

void HiddenStack::rebuild_tables(int n_threads) {
    for (Layer& any : layers_)
        if (HiddenLayer* layer = hashed(any)) layer->selector().index()->build(layer->neurons.view(), n_threads);
}

std::vector<std::pair<std::string, NeuronIndex*>> HiddenStack::indexes() {
    std::vector<std::pair<std::string, NeuronIndex*>> all;
    for (std::size_t i = 0; i < layers_.size(); ++i)
        if (HiddenLayer* layer = hashed(layers_[i])) all.emplace_back(name(i), layer->selector().index());
    return all;
}

double HiddenStack::hashing_multiplications() const {
    double sum = 0;
    for (const Layer& any : layers_)
        if (const HiddenLayer* layer = hashed(any)) sum += layer->selector().index()->multiplications();
    return sum;
}

HiddenStack::Work::Work(const HiddenStack& stack) : activations(stack.dropout_.size()), kept(stack.dropout_.size()) {
    for (const Layer& any : stack.layers_)
        layers.push_back(std::visit([](const auto& layer) { return layer.work(); }, any));
}

double HiddenStack::Work::total_multiplications() const {
    double sum = multiplications;
    for (const LayerWork& layer : layers) sum += layer.multiplications + layer.products.multiplications;
    return sum;
}

Activations& HiddenStack::forward(BatchFeatures& batch, Work& work, std::uint64_t seed, Index step,
                                  int n_threads) const {
    Activations* in = &work.input;
    in->has_features = has_features(batch.n_examples(), [&](Index b) { return batch.values(b); });
    if (input_) {
        input_->forward(batch, in->has_features, work.activations.front(), n_threads);
        work.multiplications += touched_features(batch) * static_cast<double>(input_->hidden());
        in = &drop(work, 0, seed, step);
    } else {
        copy_features(batch, n_features_, work.input);
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        Activations& out = work.activations[i + n_before()];
        std::visit([&](auto& layer) { layer.forward(*in, out, work.layers[i], seed, step, n_threads); }, layers_[i]);
        in = &drop(work, i + n_before(), seed, step);
    }
    return *in;
}

void HiddenStack::backward_and_update(const BatchFeatures& batch, Work& work, std::uint64_t seed, float rate,
                                      Index step, int n_threads) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
        drop_gradients(work, i + n_before(), seed, step);
        Activations &in = kept_inputs(work, i), &out = work.activations[i + n_before()];
        const auto backward = [&](auto& layer) {
            layer.backward_and_update(in, i + n_before() > 0, out, work.layers[i], rate, step, n_threads);
        };
        std::visit(backward, layers_[i]);
    }
    if (!input_) return;
    drop_gradients(work, 0, seed, step);
    input_->backward(work.activations.front(), n_threads);
    input_->update(batch, work.activations.front(), rate, step, n_threads);
    work.multiplications += touched_features(batch) * static_cast<double>(input_->hidden());
}

Activations& HiddenStack::inputs(Work& work, std::size_t i) const {
    const std::size_t before = i + n_before();
    return before > 0 ? work.activations[before - 1] : work.input;
}

Activations& HiddenStack::kept_inputs(Work& work, std::size_t i) const {
    const std::size_t before = i + n_before();
    return before > 0 && dropout_[before - 1] > 0 ? work.kept[before - 1] : inputs(work, i);
}

// What the next layer sees.
Activations& HiddenStack::drop(Work& work, std::size_t layer, std::uint64_t seed, Index step) const {
    Activations &all = work.activations[layer], &kept = work.kept[layer];
    if (dropout_[layer] == 0) return all;
    kept.resize_dense(all.n, all.width);
    kept.values = all.values;
    kept.has_features = all.has_features;
    mask(layer, seed, step, kept.values);
    return kept;
}

void HiddenStack::drop_gradients(Work& work, std::size_t layer, std::uint64_t seed, Index step) const {
    if (dropout_[layer] == 0) return;
    work.activations[layer].gradients = work.kept[layer].gradients;
    mask(layer, seed, step, work.activations[layer].gradients);
}

// The same for the activations and for their gradients, drawn again from the counter instead of stored.
void HiddenStack::mask(std::size_t layer, std::uint64_t seed, Index step, std::vector<float>& values) const {
    const float share = dropout_[layer], keep = 1.0f / (1.0f - share);
    const CounterRng rng(seed, Stream::hidden_dropout, step);
    const std::uint64_t first = static_cast<std::uint64_t>(layer) << 40;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= rng.uniform(first + i) < share ? 0.0f : keep;
}

void HiddenStack::rehash(const std::vector<Work*>& works, Index step, int n_threads) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        HiddenLayer* layer = hashed(layers_[i]);
        if (!layer) continue;
        NeuronIndex* index = layer->selector().index();
        for (Work* work : works) {
            index->observe(inputs(*work, i).view());
            index->touch(work->layers[i].products.touched());
        }
        index->maintain(layer->neurons.view(), step, n_threads);
    }
}

void HiddenStack::predict(const CsrView& x, Index first, Index n, std::size_t n_layers, float* out,
                          int n_threads) const {
    Activations in, next;
    in.has_features = has_features(n, [&](Index b) { return x.values(first + b); });
    if (input_) {
        input_->predict({n, n_features_, true, x.data, x.indptr + first, x.indices}, in.has_features, next, n_threads);
        std::swap(in, next);
    } else {
        const Index begin = x.indptr[first], end = x.indptr[first + n];
        in.n = n;
        in.width = n_features_;
        in.sparse = true;
        in.ids.assign(x.indices + begin, x.indices + end);
        in.values.assign(x.data + begin, x.data + end);
        for (Index b = 0; b <= n; ++b) in.begin.push_back(x.indptr[first + b] - begin);
    }
    for (std::size_t i = 0; i < n_layers; ++i) {
        std::visit([&](const auto& layer) { layer.predict(in, next, n_threads); }, layers_[i]);
        std::swap(in, next);
    }
    in.view().copy(out);
}

// Only above a dense first layer: one that selects its neurons has as many weights in each as there were features.
void HiddenStack::grow(Index n_features) {
    if (input_) input_->grow(n_features);
    n_features_ = n_features;
}

}  // namespace hashslide
