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
    for (Index b = 0; b < out.n; ++b) {
        for (std::size_t j = 0; j < batch.ids(b).size(); ++j) {
            if (batch.kept_values(b)[j] == 0) continue;
            out.push(batch.ids(b)[j], batch.kept_values(b)[j]);
        }
        out.begin.push_back(out.entries());
    }
}

}  // namespace

HiddenStack::HiddenStack(Index n_features, const std::vector<LayerConfig>& layers, float length, float input_init,
                         const OptimizerConfig& optimizer, std::uint64_t seed)
    : n_features_(n_features) {
    const LayerConfig& first = layers.front();
    Index width = n_features;
    std::size_t next = 0;
    if (first.selector.sampler.kind == SamplerKind::all) {
        input_ = std::make_unique<InputLayer>(n_features, first.width, first.activation, length, input_init, optimizer,
                                              seed);
        width = first.width;
        next = 1;
    }
    for (; next < layers.size(); width = layers[next++].width)
        layers_.emplace_back(layers[next], width, optimizer, seed, static_cast<int>(next));
}

void HiddenStack::initialise() {
    if (input_) input_->initialise();
    for (HiddenLayer& layer : layers_) layer.initialise();
}

void HiddenStack::build_tables(int n_threads) {
    for (HiddenLayer& layer : layers_) layer.build_tables(n_threads);
}

HiddenStack::Work::Work(const HiddenStack& stack) : activations(stack.layers_.size() + (stack.input_ ? 1 : 0)) {
    for (const HiddenLayer& layer : stack.layers_) layers.emplace_back(layer.neurons.n());
}

double HiddenStack::Work::total_multiplications() const {
    double sum = multiplications;
    for (const HiddenLayer::Work& layer : layers) sum += layer.multiplications + layer.products.multiplications;
    return sum;
}

void HiddenStack::forward(const BatchFeatures& batch, Work& work, std::uint64_t seed, Index step, int n_threads) const {
    Activations* in = &work.input;
    auto out = work.activations.begin();
    if (input_) {
        out->resize_dense(batch.n_examples(), input_->hidden());
        input_->forward(batch, work.scales, out->values.data(), n_threads);
        work.multiplications += touched_features(batch) * static_cast<double>(input_->hidden());
        in = &*out++;
    } else {
        copy_features(batch, n_features_, work.input);
    }
    for (std::size_t i = 0; i < layers_.size(); in = &*out++, ++i)
        layers_[i].forward(*in, *out, work.layers[i], seed, step, n_threads);
}

void HiddenStack::backward_and_update(const BatchFeatures& batch, Work& work, float rate, Index step, int n_threads) {
    const std::size_t offset = input_ ? 1 : 0;
    for (std::size_t i = layers_.size(); i-- > 0;)
        layers_[i].backward_and_update(inputs(work, i), i + offset > 0, work.activations[i + offset], work.layers[i],
                                       rate, step, n_threads);
    if (!input_) return;
    Activations& first = work.activations.front();
    input_->backward(batch, work.scales, first.values.data(), first.gradients.data(), rate, step, n_threads);
    work.multiplications += touched_features(batch) * static_cast<double>(input_->hidden());
}

Activations& HiddenStack::inputs(Work& work, std::size_t i) const {
    const std::size_t before = i + (input_ ? 1 : 0);
    return before > 0 ? work.activations[before - 1] : work.input;
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
        in.resize_dense(n, input_->hidden());
        parallel_for(n_threads, 0, n, 16, [&](Index a, Index b) {
            input_->forward(x, first + a, b - a, in.values.data() + a * input_->hidden());
        });
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
