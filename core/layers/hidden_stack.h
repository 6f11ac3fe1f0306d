// All layers between the sparse input and the output: the first over features, the others over units.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/hidden_layer.h"
#include "layers/input_layer.h"
#include "sparse/batch_features.h"

namespace hashslide {

class HiddenStack {
public:
    // layers: at least one. length: of the activations of a single dense layer (input_layer.h).
    HiddenStack(Index n_features, const std::vector<LayerConfig>& layers, float length, float input_init,
                const OptimizerConfig& optimizer, std::uint64_t seed);

    // Memory of one worker for one batch. activations[i] are those of layer i; input: the features, where the first
    // layer selects its neurons.
    struct Work {
        explicit Work(const HiddenStack& stack);
        Activations input;
        std::vector<float> scales;
        std::vector<Activations> activations;
        std::vector<HiddenLayer::Work> layers;
        double multiplications = 0;  // of the input layer

        Activations& last() { return activations.back(); }
        double total_multiplications() const;
    };

    void forward(const BatchFeatures& batch, Work& work, std::uint64_t seed, Index step, int n_threads) const;
    // work.last().gradients: dLoss/dactivations on entry.
    void backward_and_update(const BatchFeatures& batch, Work& work, float rate, Index step, int n_threads);
    // Step 8 of the hashed layers, after the updates of all workers.
    void rehash(const std::vector<Work*>& works, Index step, int n_threads);

    // Activations of the last layer for rows first .. first + n of x: out (n, width()).
    void predict(const CsrView& x, Index first, Index n, float* out, int n_threads) const {
        predict(x, first, n, layers_.size(), out, n_threads);
    }
    // After only so many of layers(): out (n, width_after(n_layers)).
    void predict(const CsrView& x, Index first, Index n, std::size_t n_layers, float* out, int n_threads) const;

    void initialise();                 // random weights
    void build_tables(int n_threads);  // those that are not ready
    void grow(Index n_features);
    Index width() const { return width_after(layers_.size()); }
    Index width_after(std::size_t n_layers) const {
        if (n_layers > 0) return layers_[n_layers - 1].neurons.n();
        return input_ ? input_->hidden() : n_features_;
    }

    // Of layers()[i]: layers are counted from the input.
    std::string name(std::size_t i) const { return "hidden" + std::to_string(i + (input_ ? 1 : 0)); }
    InputLayer* input() { return input_.get(); }  // null where the first layer selects its neurons
    const InputLayer* input() const { return input_.get(); }
    std::vector<HiddenLayer>& layers() { return layers_; }  // all others
    const std::vector<HiddenLayer>& layers() const { return layers_; }

private:
    Activations& inputs(Work& work, std::size_t i) const;  // of layers_[i]

    Index n_features_;
    std::unique_ptr<InputLayer> input_;
    std::vector<HiddenLayer> layers_;
};

}  // namespace hashslide
