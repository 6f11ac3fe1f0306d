// Sparse input to hidden layer: h = activation(x W + b), scaled to a fixed length where one is set. One row of W a
// feature.
#pragma once

#include <string>
#include <vector>

#include "batch_features.h"
#include "csr.h"
#include "memory.h"
#include "optimizer.h"

namespace hashslide {

enum class Activation { identity, relu, tanh };

class InputLayer {
public:
    // length: Euclidean length of every h; 0: as it comes. init_scale: standard deviation of the initial weights.
    InputLayer(Index n_features, Index hidden, Activation activation, float length, float init_scale,
               const OptimizerConfig& optimizer, std::uint64_t seed);

    // h: (examples, hidden).
    void forward(const BatchFeatures& batch, float* h, int n_threads);
    // Rows first .. first + n of x, without dropout.
    void forward(const CsrView& x, Index first, Index n, float* h) const;

    // gradient: (examples, hidden), dLoss/dh on entry, overwritten. Owner computes: each touched
    // row is summed, in the order of the batch, and updated by one thread.
    void backward(const BatchFeatures& batch, const float* h, float* gradient, float rate, Index step, int n_threads);

    void grow(Index n_features);

    Index n_features() const { return n_features_; }
    Index hidden() const { return hidden_; }

    Array<float> weight;  // (n_features, hidden)
    Array<float> bias;    // (hidden,)
    Optimizer weight_optimizer, bias_optimizer;

private:
    void initialise_rows(Index first, Index last);
    float forward_row(std::span<const Id> ids, std::span<const float> values, float* h) const;
    void backward_row(Index example, const float* h, float* gradient) const;

    Index n_features_, hidden_;
    Activation activation_;
    float length_, init_scale_;
    std::uint64_t seed_;
    std::vector<float> scales_;  // of the last batch: what each h was multiplied by to get its length
};

}  // namespace hashslide
