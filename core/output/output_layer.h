// Hidden layer to logits, on the active set of a batch: z = h W[active]^T + b[active]. One row of W a label.
#pragma once

#include <memory>
#include <vector>

#include "learning/loss.h"
#include "learning/neurons.h"
#include "output/active_products.h"
#include "sampling/active_set.h"
#include "sampling/sampler.h"

namespace hashslide {

class OutputLayer : public Neurons {
public:
    using Neurons::Neurons;
    Index n_labels() const { return n(); }

    // Memory of one worker for one batch.
    struct Work {
        std::unique_ptr<ActiveProducts> products;
        std::vector<float> logits;  // (batch, active): logits, then their gradients
    };

    // Step 4. Gathers the active rows and computes the logits of the batch, tile by tile. h: (batch, hidden), to stay
    // as it is until the update.
    void forward(const ActiveSet& active, const float* h, Index batch, Work& work, int n_threads) const;
    // The same for activations that other products have started with, which stay as they are until the update.
    void forward(const ActiveSet& active, const ActiveProducts& inputs, Index batch, Work& work, int n_threads) const;

    // Step 6, of the examples first .. last. h_gradient: (last - first, hidden), set to dLoss/dh.
    void backward(Index first, Index last, const Work& work, float* h_gradient) const {
        work.products->input_gradients(first, last, work.logits.data(), h_gradient);
    }
    // Step 7. Each active row is updated by the one thread that computes its gradient.
    void update_active(const ActiveSet& active, Index batch, const Work& work, float rate, Index step, int n_threads);
    // Both. h_gradient: (batch, hidden).
    void backward_and_update(const ActiveSet& active, Index batch, Work& work, float* h_gradient, float rate,
                             Index step, int n_threads);

private:
    void add_logits(const ActiveSet& active, Index batch, Work& work, int n_threads) const;
    void update_tile(const ActiveSet& active, Index first, Index last, Index batch, const Work& work, float rate,
                     Index step);
};

// Step 5. The logits of the active set become gradients; returns the summed loss. shift as in loss.h, but for the
// places in `unshifted`, if any, of each example; row_weight and label_weight may be null; label_weight is indexed by
// label.
double active_set_loss(LossKind kind, const ActiveSet& active, Index batch, float* logits, const float* shift,
                       const Selection& unshifted, const float* row_weight, const float* label_weight, int n_threads);

}  // namespace hashslide
