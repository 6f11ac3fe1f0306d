// Sparse input to hidden layer: h = activation(x W + b). One row of W a feature.
#pragma once

#include <string>
#include <vector>

#include "csr.h"
#include "id_map.h"
#include "memory.h"
#include "optimizer.h"
#include "rng.h"

namespace hashslide {

enum class Activation { identity, relu, tanh };

// The features of a batch after dropout: a private CSR, kept between the forward and the backward pass.
struct BatchFeatures {
    std::vector<Index> indptr;
    std::vector<Id> ids;
    std::vector<float> values;

    // Rows of x in the given order. Each feature of each example is dropped with probability `dropout`; the others are
    // scaled by 1 / (1 - dropout).
    void gather(const CsrView& x, const Index* rows, Index n_rows, float dropout, const CounterRng& rng);
    Index size() const { return static_cast<Index>(indptr.size()) - 1; }
};

class InputLayer {
public:
    InputLayer(Index n_features, Index hidden, Activation activation, float init_scale, const OptimizerConfig& optimizer,
               std::uint64_t seed);

    // h: (batch.size(), hidden).
    void forward(const BatchFeatures& batch, float* h, int n_threads) const;
    // Rows first .. first + n of x, without dropout.
    void forward(const CsrView& x, Index first, Index n, float* h) const;

    // gradient: (batch.size(), hidden), dLoss/dh on entry, overwritten. Owner computes: the entries of the batch are
    // grouped by feature and each touched row is summed, in the order of the batch, and updated by one thread.
    void backward(const BatchFeatures& batch, const float* h, float* gradient, float rate, Index step, int n_threads);

    void grow(Index n_features);

    Index n_features() const { return n_features_; }
    Index hidden() const { return hidden_; }

    Array<float> weight;  // (n_features, hidden)
    Array<float> bias;    // (hidden,)
    Optimizer weight_optimizer, bias_optimizer;

private:
    void initialise_rows(Index first, Index last);
    void forward_row(std::span<const Id> ids, std::span<const float> values, float* h) const;
    void group_by_feature(const BatchFeatures& batch);

    Index n_features_, hidden_;
    Activation activation_;
    float init_scale_;
    std::uint64_t seed_;

    // Entries of the batch by feature: those of touched feature i are entry_begin_[i] .. entry_begin_[i + 1].
    IdMap touched_;
    std::vector<Index> entry_begin_;
    std::vector<Id> entry_example_;
    std::vector<float> entry_value_;
};

}  // namespace hashslide
