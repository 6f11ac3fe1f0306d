// Sparse input to hidden layer: h = activation(x W + b), scaled to a fixed length where one is set and the example has
// features. One row of W a feature.
#pragma once

#include <vector>

#include "base/memory.h"
#include "learning/activation.h"
#include "learning/optimizer.h"
#include "sparse/batch_features.h"
#include "sparse/csr.h"

namespace hashslide {

class InputLayer {
public:
    // length: Euclidean length of every h; 0: as it comes. init_scale: standard deviation of the initial weights, which
    // are 0 before initialise().
    InputLayer(Index n_features, Index hidden, Activation activation, float length, float init_scale,
               const OptimizerConfig& optimizer, std::uint64_t seed);

    // h: (examples, hidden). scales: what each h was multiplied by to get its length, 0 for none.
    void forward(const BatchFeatures& batch, std::vector<float>& scales, float* h, int n_threads) const;
    // Rows first .. first + n of x, without dropout.
    void forward(const CsrView& x, Index first, Index n, float* h) const;

    // gradient: (examples, hidden), dLoss/dh on entry, overwritten. Owner computes: each touched
    // row is summed, in the order of the batch, and updated by one thread.
    void backward(const BatchFeatures& batch, const std::vector<float>& scales, const float* h, float* gradient,
                  float rate, Index step, int n_threads);

    void initialise() { initialise_rows(0, n_features_); }
    void grow(Index n_features);

    Index hidden() const { return hidden_; }

    Array<float> weight;  // (n_features, hidden)
    Array<float> bias;    // (hidden,)
    Optimizer weight_optimizer, bias_optimizer;

private:
    void initialise_rows(Index first, Index last);
    float forward_row(std::span<const Id> ids, std::span<const float> values, float* h) const;
    void backward_row(float scale, const float* h, float* gradient) const;

    Index n_features_, hidden_;
    Activation activation_;
    float length_, init_scale_;
    std::uint64_t seed_;
};

}  // namespace hashslide
