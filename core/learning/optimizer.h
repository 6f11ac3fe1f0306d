// Step 7: update one touched row. A row that is not touched costs nothing, neither time nor memory traffic.
#pragma once

#include <string>
#include <vector>

#include "base/memory.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "simd/kernels.h"

namespace hashslide {

enum class OptimizerKind { adagrad, adam, sgd };

struct OptimizerConfig {
    OptimizerKind kind = OptimizerKind::adagrad;
    float momentum = 0.0f;             // sgd
    float beta1 = 0.9f;                // adam
    float beta2 = 0.999f;              // adam
    float epsilon = 1e-8f;             // adam
    float initial_accumulator = 0.1f;  // adagrad: s0 > 0, in units of a squared gradient summed over the batch
    float weight_decay = 0.0f;         // a touched row shrinks by rate * weight_decay (Loshchilov & Hutter 2019)
};

// State of the optimiser for a matrix of n_rows rows of `width` weights.
//   adagrad  row-wise: one accumulator a row, s += mean(g^2), w -= rate g / sqrt(s0 + s)   (Duchi, Hazan & Singer 2011)
//   adam     lazy: the moments of a row change only when it is touched                        (Kingma & Ba 2015)
//   sgd      heavy ball, equally lazy: u = momentum u + g, w -= rate u; no state without momentum
class Optimizer {
public:
    Optimizer() = default;
    Optimizer(const OptimizerConfig& config, Index n_rows, Index width);

    // `step` counts from 1 (Adam's bias correction). Called by the one thread that owns the row.
    void update(Index row, float rate, Index step, const float* gradient, float* weight);

    // The same where the gradient is 0 but at `entries` coordinates of the row, whose weights are given one after the
    // other: nothing else of it is touched, so the momentum of the others does not decay. O(entries).
    void update_entries(Index row, float rate, Index step, const Id* coordinates, Index entries, const float* gradient,
                        float* weight);

    // For a row whose weights are set from outside: Adagrad's accumulator as if the row had been trained for long, so
    // that its first steps do not undo them.
    void settle(Index row) {
        if (config_.kind == OptimizerKind::adagrad) row_[row] = settled * config_.initial_accumulator;
    }

    // Asks for the state of a row ahead of its update.
    void prefetch_row(Index row) const {
        if (row_.size() > 0) prefetch(row_.data() + row, 1);
        if (first_.size() > 0) prefetch(first_.data() + row * width_, width_);
        if (second_.size() > 0) prefetch(second_.data() + row * width_, width_);
    }

    void grow(Index n_rows);

    // Arrays of the state, by the name of what they hold; the optimiser keeps them.
    struct NamedArray {
        std::string name;
        Array<float>* array;
        Index width;
        bool sums_squares;
    };
    std::vector<NamedArray> arrays();

private:
    static constexpr float settled = 100.0f;  // first accumulators

    Kernels::AdamStep adam_step(float rate, Index step) const;

    OptimizerConfig config_;
    Index width_ = 0;
    Array<float> first_;   // adam: m, sgd: velocity
    Array<float> second_;  // adam: v
    Array<float> row_;     // adagrad: accumulator of each row
};

}  // namespace hashslide
