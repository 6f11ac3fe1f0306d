// All layers between the sparse input and the output: the first over features, the others over units.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "layers/dense_over_sparse.h"
#include "layers/hidden_layer.h"
#include "layers/input_layer.h"
#include "sparse/batch_features.h"

namespace hashslide {

class HiddenStack {
public:
    using Layer = std::variant<HiddenLayer, DenseOverSparse>;

    // layers: at least one.
    HiddenStack(Index n_features, const std::vector<LayerConfig>& layers, float input_init,
                const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed);

    // Memory of one worker for one batch. activations[i] are those of layer i, kept[i] what dropout leaves of them,
    // where the layer has any; input: the features, where the first layer selects its neurons.
    struct Work {
        explicit Work(const HiddenStack& stack);
        Activations input;
        std::vector<Activations> activations, kept;
        std::vector<LayerWork> layers;
        double multiplications = 0;  // of the input layer

        Activations& last() { return activations.back(); }  // without dropout
        double total_multiplications() const;
    };

    // seed: of this batch's draws; the network's own, or that of a worker. Returns what the next layer sees.
    Activations& forward(BatchFeatures& batch, Work& work, std::uint64_t seed, Index step, int n_threads) const;
    // After forward, whose result has its gradients.
    void backward_and_update(const BatchFeatures& batch, Work& work, std::uint64_t seed, float rate, Index step,
                             int n_threads);
    // Step 8 of the hashed layers, after the updates of all workers.
    void rehash(const std::vector<Work*>& works, Index step, int n_threads);

    // Activations of the last layer for rows first .. first + n of x: out (n, width()).
    void predict(const CsrView& x, Index first, Index n, float* out, int n_threads) const {
        predict(x, first, n, layers_.size(), out, n_threads);
    }
    // After only so many of layers(): out (n, width_after(n_layers)).
    void predict(const CsrView& x, Index first, Index n, std::size_t n_layers, float* out, int n_threads) const;

    void initialise();                   // random weights
    void build_tables(int n_threads);    // those that are not ready
    void rebuild_tables(int n_threads);  // all, with fresh functions
    void grow(Index n_features);
    Index width() const { return width_after(layers_.size()); }
    Index width_after(std::size_t n_layers) const {
        if (n_layers > 0) return std::visit([](const auto& layer) { return layer.width(); }, layers_[n_layers - 1]);
        return input_ ? input_->hidden() : n_features_;
    }

    // Of layers()[i]: layers are counted from the input.
    std::string name(std::size_t i) const { return "hidden" + std::to_string(i + (input_ ? 1 : 0)); }
    InputLayer* input() { return input_.get(); }  // null where the first layer selects its neurons
    const InputLayer* input() const { return input_.get(); }
    std::vector<Layer>& layers() { return layers_; }  // all others
    const std::vector<Layer>& layers() const { return layers_; }
    std::vector<std::pair<std::string, NeuronIndex*>> indexes();  // the hash tables, by the name of their layer
    double hashing_multiplications() const;                       // of the neurons so far

private:
    std::size_t n_before() const { return input_ ? 1 : 0; }  // layers before layers_[0]
    // Of layers_[i], without dropout of the layer below, and with it.
    Activations& inputs(Work& work, std::size_t i) const;
    Activations& kept_inputs(Work& work, std::size_t i) const;
    Activations& drop(Work& work, std::size_t layer, std::uint64_t seed, Index step) const;
    void drop_gradients(Work& work, std::size_t layer, std::uint64_t seed, Index step) const;
    void mask(std::size_t layer, std::uint64_t seed, Index step, std::vector<float>& values) const;

    Index n_features_;
    std::vector<float> dropout_;  // of each layer
    std::unique_ptr<InputLayer> input_;
    std::vector<Layer> layers_;
};

}  // namespace hashslide
