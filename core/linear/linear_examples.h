// The examples of a linear model, borrowed from the caller, and the losses of their scores.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/types.h"
#include "sparse/vectors.h"

namespace hashslide {

enum class LinearLoss { squared, logistic };

struct LinearExamples {
    Vectors x;
    const float* y = nullptr;           // logistic: -1 or 1
    const float* importance = nullptr;  // of each example in the objective, with the mean 1; null: all 1
    LinearLoss loss = LinearLoss::squared;
    bool intercept = true;

    Index n() const { return x.n; }
    Index first_entry(Index i) const { return x.sparse ? x.begin[i] : i * x.width; }
    float importance_of(Index i) const { return importance ? importance[i] : 1.0f; }

    float loss_of(Index i, float score) const {
        if (loss == LinearLoss::squared) return 0.5f * (score - y[i]) * (score - y[i]);
        const float margin = y[i] * score;
        return std::max(-margin, 0.0f) + std::log1p(std::exp(-std::abs(margin)));
    }
    // Derivative of the loss by the score.
    float slope(Index i, float score) const {
        if (loss == LinearLoss::squared) return score - y[i];
        return -y[i] / (1.0f + std::exp(y[i] * score));
    }
    // |(x, 1)|: the gradient is so many times as long as the slope. O(size(i)).
    float length(Index i) const {
        const float squares = kernels().sum_of_squares(x.size(i), x.values + first_entry(i));
        return std::sqrt(squares + (intercept ? 1.0f : 0.0f));
    }
};

}  // namespace hashslide
