// A dense layer over sparse input, features or active units: h = s activation(x W + b) (UnitFunction).
#pragma once

#include <vector>

#include "base/memory.h"
#include "learning/activation.h"
#include "learning/optimizer.h"
#include "sparse/activations.h"
#include "sparse/batch_features.h"
#include "weights/weights.h"

namespace hashslide {

// One row of W a feature, and their optimiser.
class InputRows {
public:
    // init_scale: standard deviation of the initial weights, which are 0 before initialise().
    InputRows(Index n_features, Index hidden, float init_scale, const OptimizerConfig& optimizer, Precision precision,
              std::uint64_t seed);

    // gradient (batch, hidden): dLoss/d(x W). Owner computes: each touched row is summed, in the order of the batch,
    // and updated by one thread.
    void update(const BatchFeatures& batch, const float* gradient, float rate, Index step, int n_threads);

    void initialise() { initialise_rows(0, n_features_); }
    void grow(Index n_features);

    Index n_features() const { return n_features_; }
    Index hidden() const { return hidden_; }

    Weights weight;  // (n_features, hidden)
    Optimizer weight_optimizer;

private:
    void initialise_rows(Index first, Index last);

    Index n_features_, hidden_;
    float init_scale_;
    std::uint64_t seed_;
};

class InputLayer : public InputRows {
public:
    InputLayer(Index n_features, Index hidden, const UnitFunction& function, float init_scale,
               const OptimizerConfig& optimizer, Precision precision, std::uint64_t seed);

    // has_features: of each example, below all layers. Meanwhile the batch is grouped by feature, for update.
    void forward(BatchFeatures& batch, const std::vector<char>& has_features, Activations& out, int n_threads) const;
    // The same for sparse vectors.
    void predict(const Vectors& in, const std::vector<char>& has_features, Activations& out, int n_threads) const;

    // out: of forward. out.gradients: dLoss/dh becomes dLoss/dz.
    void backward(Activations& out, int n_threads) const;
    // After backward.
    void update(const BatchFeatures& batch, const Activations& out, float rate, Index step, int n_threads);

    Array<float> bias;  // (hidden,)
    Optimizer bias_optimizer;

private:
    void start(const std::vector<char>& has_features, Activations& out) const;
    void forward_row(std::span<const Id> ids, std::span<const float> values, Index row, Activations& out) const;

    UnitFunction function_;
};

}  // namespace hashslide
