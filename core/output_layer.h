// Hidden layer to logits, on the active set only: z = h W[active]^T + b[active]. One row of W a label.
#pragma once

#include <vector>

#include "active_set.h"
#include "loss.h"
#include "memory.h"
#include "optimizer.h"

namespace hashslide {

class OutputLayer {
public:
    OutputLayer(Index n_labels, Index hidden, const OptimizerConfig& optimizer);

    // Step 4. Gathers the active rows and computes the logits of the batch, tile by tile. h: (batch, hidden).
    void forward(const ActiveSet& active, const float* h, Index batch, int n_threads);

    // Step 5. Logits become gradients; returns the summed loss. shift as in loss.h; row_weight and label_weight may be
    // null; label_weight is indexed by label.
    double loss(LossKind kind, const ActiveSet& active, Index batch, const float* shift, const float* row_weight,
                const float* label_weight, int n_threads);

    // Steps 6 and 7. h_gradient: (batch, hidden), set to dLoss/dh. Then each active row is updated by the one thread
    // that computed its gradient.
    void backward_and_update(const ActiveSet& active, const float* h, Index batch, float* h_gradient, float rate,
                             Index step, int n_threads);

    // A new label starts as likely as the least likely old one, so that it displaces none before its first update.
    void grow(Index n_labels);

    float* logits() { return logits_.data(); }  // (batch, active), of the last forward(); gradients after loss()
    Index n_labels() const { return n_labels_; }

    Array<float> weight;  // (n_labels, hidden)
    Array<float> bias;    // (n_labels,)
    Optimizer weight_optimizer, bias_optimizer;

private:
    void update_tile(const ActiveSet& active, Index first, Index last, const float* h, Index batch, float rate,
                     Index step);

    Index n_labels_, hidden_;
    std::vector<float> rows_;    // (active, hidden): the gathered weights
    std::vector<float> logits_;  // (batch, active): logits, then their gradients
};

}  // namespace hashslide
