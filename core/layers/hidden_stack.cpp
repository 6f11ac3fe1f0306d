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

// Without those that are dropped or 0.
void copy_features(const BatchFeatures& batch, Index n_features, Activations& out) {
    out.start_sparse(batch.n_examples(), n_features);
    out.has_features.clear();
    for (Index b = 0; b < out.n; ++b) {
        for (std::size_t j = 0; j < batch.ids(b).size(); ++j) {
            if (batch.values(b)[j] == 0) continue;
            out.push(batch.ids(b)[j], batch.values(b)[j]);
        }
        out.has_features.push_back(out.entries() > out.begin.back());
        out.begin.push_back(out.entries());
    }
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
    for (; next < layers.size(); width = layers[next++].width)
        layers_.emplace_back(layers[next], width, optimizer, precision, seed, static_cast<int>(next));
    for (const LayerConfig& layer : layers) dropout_.push_back(layer.dropout);
}

void HiddenStack::initialise() {
    if (input_) input_->initialise();
    for (HiddenLayer& layer : layers_) layer.initialise();
}

void HiddenStack::build_tables(int n_threads) {
    for (HiddenLayer& layer : layers_) layer.build_tables(n_threads);
}

HiddenStack::Work::Work(const HiddenStack& stack) : activations(stack.dropout_.size()), kept(stack.dropout_.size()) {
    for (const HiddenLayer& layer : stack.layers_) layers.emplace_back(layer.neurons.n());
}

double HiddenStack::Work::total_multiplications() const {
    double sum = multiplications;
    for (const HiddenLayer::Work& layer : layers) sum += layer.multiplications + layer.products.multiplications;
    return sum;
}

Activations& HiddenStack::forward(BatchFeatures& batch, Work& work, std::uint64_t seed, Index step,
                                  int n_threads) const {
    Activations* in = &work.input;
    if (input_) {
        input_->forward(batch, work.activations.front(), n_threads);
        work.multiplications += touched_features(batch) * static_cast<double>(input_->hidden());
        in = &drop(work, 0, seed, step);
    } else {
        copy_features(batch, n_features_, work.input);
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        layers_[i].forward(*in, work.activations[i + n_before()], work.layers[i], seed, step, n_threads);
        in = &drop(work, i + n_before(), seed, step);
    }
    return *in;
}

void HiddenStack::backward_and_update(const BatchFeatures& batch, Work& work, std::uint64_t seed, float rate,
                                      Index step, int n_threads) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
        drop_gradients(work, i + n_before(), seed, step);
        layers_[i].backward_and_update(kept_inputs(work, i), i + n_before() > 0, work.activations[i + n_before()],
                                       work.layers[i], rate, step, n_threads);
    }
    if (!input_) return;
    drop_gradients(work, 0, seed, step);
    input_->backward(batch, work.activations.front(), rate, step, n_threads);
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
        NeuronIndex* index = layers_[i].selector().index();
        if (!index) continue;
        for (Work* work : works) {
            index->observe(inputs(*work, i).view());
            index->touch(work->layers[i].products.touched());
        }
        index->maintain(layers_[i].neurons.view(), step, n_threads);
    }
}

void HiddenStack::predict(const CsrView& x, Index first, Index n, std::size_t n_layers, float* out,
                          int n_threads) const {
    Activations in, next;
    if (input_) {
        input_->predict(x, first, n, in, n_threads);
    } else {
        const Index begin = x.indptr[first], end = x.indptr[first + n];
        in.n = n;
        in.width = n_features_;
        in.sparse = true;
        in.ids.assign(x.indices + begin, x.indices + end);
        in.values.assign(x.data + begin, x.data + end);
        for (Index b = 0; b <= n; ++b) in.begin.push_back(x.indptr[first + b] - begin);
        for (Index b = 0; b < n; ++b)
            in.has_features.push_back(std::ranges::any_of(x.values(first + b), [](float v) { return v != 0; }));
    }
    for (std::size_t i = 0; i < n_layers; ++i) {
        layers_[i].predict(in, next, n_threads);
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
