#include "layers/hidden_layer.h"

#include <cmath>

#include "base/best_k.h"
#include "layers/dense_layer.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

const Activations& as_dense(const Activations& in, Activations& copy) {
    if (!in.sparse) return in;
    copy.resize_dense(in.n, in.width);
    in.view().copy(copy.values.data());
    return copy;
}

// Sets all but the largest activations of an example to 0; of equal ones the smaller id stays.
void keep_winners(Index winners, Index n, const Id* ids, float* a) {
    if (winners == 0 || n <= winners) return;
    BestK best(winners);
    for (Index i = 0; i < n; ++i) best.offer({a[i], ids[i]});
    for (Index i = 0; i < n; ++i)
        if (best.worst() < ranked(a[i], ids[i])) a[i] = 0;
}

}  // namespace

HiddenLayer::HiddenLayer(const LayerConfig& config, Index width_in, const OptimizerConfig& optimizer,
                         Precision precision, std::uint64_t seed, int number)
    : neurons(config.width, width_in, optimizer, precision, layer_seed(seed, number)),
      config_(config),
      selector_(config.selector, config.width, width_in, layer_seed(seed, number)),
      seed_(layer_seed(seed, number)),
      number_(number) {}

void HiddenLayer::initialise() {
    neurons.initialise(first_deviation(neurons.width()), CounterRng(seed_, Stream::input_weight, 0));
}

void HiddenLayer::build_tables(int n_threads) {
    if (NeuronIndex* index = selector_.index(); index && !index->ready()) index->build(neurons.view(), n_threads);
}

float HiddenLayer::training_factor() const {
    const SamplerConfig& s = config_.selector.sampler;
    if (s.kind != SamplerKind::uniform) return 1.0f;
    const double undrawn = static_cast<double>(s.budget) * std::log1p(-1.0 / static_cast<double>(config_.width));
    return static_cast<float>(-1.0 / std::expm1(undrawn));
}

void HiddenLayer::forward(const Activations& in, Activations& out, LayerWork& work, std::uint64_t seed, Index step,
                          int n_threads) const {
    out.has_features = in.has_features;
    if (config_.is_dense()) {
        out.resize_dense(in.n, neurons.n());
        dense_products(neurons, as_dense(in, work.dense_in).view(), out.values.data(), n_threads);
        dense_activate(config_.function(), in.has_features, out, n_threads);
        work.multiplications += static_cast<double>(in.n) * static_cast<double>(neurons.n() * neurons.width());
        return;
    }
    selector_.select(neurons.view(), in, nullptr, CounterRng(layer_seed(seed, number_), Stream::sampler, step),
                     work.selection, n_threads);
    work.multiplications += work.selection.multiplications;
    forward_selected(in, out, work, n_threads);
    work.products.set(out.begin, out.ids);
    if (const float factor = training_factor(); factor != 1.0f)
        kernels().scale(static_cast<Index>(out.values.size()), factor, out.values.data());
}

void HiddenLayer::forward_selected(const Activations& in, Activations& out, LayerWork& work, int n_threads) const {
    const Selection& chosen = work.selection;
    work.products.set(chosen.begin, chosen.ids);
    work.activations.resize(chosen.ids.size());
    float* a = work.activations.data();
    work.products.forward(neurons, in, a, n_threads);
    activate(config_.activation, std::ssize(chosen.ids), a);
    out.start_sparse(in.n, neurons.n());
    for (Index b = 0; b < in.n; ++b) {
        const Index first = chosen.begin[b], n = chosen.begin[b + 1] - first;
        keep_winners(config_.winners, n, chosen.ids.data() + first, a + first);
        for (Index p = first; p < first + n; ++p)
            if (a[p] != 0) out.push(chosen.ids[p], a[p]);
        out.begin.push_back(out.entries());
    }
    out.gradients.resize(out.ids.size());
}

void HiddenLayer::backward_and_update(Activations& in, bool in_gradient, Activations& out, LayerWork& work, float rate,
                                      Index step, int n_threads) {
    if (!config_.is_dense()) {
        const float factor = training_factor();
        activation_backward(config_.activation, out.entries(), out.values.data(), factor, out.gradients.data());
        kernels().scale(out.entries(), factor, out.gradients.data());
        if (in_gradient) in.gradients.assign(in.entries(), 0.0f);
        work.products.backward_and_update(neurons, in, in_gradient, out.gradients.data(), rate, step, n_threads);
        return;
    }
    Activations& dense = in.sparse ? work.dense_in : in;
    dense_backward_and_update(neurons, config_.function(), dense, out, rate, step, n_threads);
    work.multiplications += 2.0 * static_cast<double>(in.n) * static_cast<double>(neurons.n() * neurons.width());
    if (!in.sparse) return;
    in.gradients.resize(in.ids.size());
    for (Index b = 0; b < in.n; ++b)
        for (Index e = in.begin[b]; e < in.begin[b + 1]; ++e)
            in.gradients[e] = dense.gradients[b * in.width + in.ids[e]];
}

void HiddenLayer::predict(const Activations& in, Activations& out, int n_threads) const {
    out.has_features = in.has_features;
    if (config_.predicts_densely()) {
        out.resize_dense(in.n, neurons.n());
        dense_products(neurons, in.view(), out.values.data(), n_threads);
        std::vector<float> chance;
        if (config_.selector.sampler.kind == SamplerKind::standout) chance = out.values;
        dense_activate(config_.function(), in.has_features, out, n_threads);
        const SamplerConfig& s = config_.selector.sampler;
        for (std::size_t i = 0; i < chance.size(); ++i)
            out.values[i] /= 1.0f + std::exp(-(s.alpha * chance[i] + s.beta));
        return;
    }
    LayerWork work = this->work();
    selector_.select(neurons.view(), in, nullptr, CounterRng(seed_, Stream::sampler, 0), work.selection, n_threads,
                     true);
    forward_selected(in, out, work, n_threads);
}

}  // namespace hashslide
