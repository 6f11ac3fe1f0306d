// The three matrix products of a batch with the active rows of the output layer, in pieces that threads share:
//   logits            Z  = H W^T     a tile of active labels
//   input gradients   dH = dZ W      a block of examples
//   weight gradients  dW = dZ^T H    a tile of active labels
#pragma once

#include <memory>

#include "simd/bf16.h"
#include "weights/weight_view.h"

namespace hashslide {

class ActiveProducts {
public:
    // Sizes of the pieces, fixed so that results do not depend on the number of threads: a tile of 256 weights a label
    // and its products stay in a core's second-level cache.
    static constexpr Index tile = 128;
    static constexpr Index example_block = 64;

    virtual ~ActiveProducts() = default;

    // h (batch, width) is read until the last product. O(batch * width).
    virtual void start(const float* h, Index batch, Index width, Index n_active) = 0;
    // The same with the activations that `other`, of the same precision, has started with; it stays as it is until the
    // last product. O(1).
    virtual void start_beside(const ActiveProducts& other, Index n_active) = 0;
    // Fetches the rows of the active labels first .. last, a tile, before their first product.
    virtual void gather(const WeightView& weight, const Id* labels, Index first, Index last) = 0;

    // z (batch, n_active) += H W^T in the columns of a tile.
    virtual void add_logits(Index first, Index last, float* z) const = 0;
    // dh (last - first, width) = dZ W of the examples first .. last. dz: (batch, n_active).
    virtual void input_gradients(Index first, Index last, const float* dz, float* dh) const = 0;
    // dw (last - first, width) = dZ^T H of a tile.
    virtual void weight_gradients(Index first, Index last, const float* dz, float* dw) const = 0;
};

// bfloat16 weights are multiplied as they are where the CPU has instructions for it, with activations and gradients
// rounded to the nearest; otherwise the products are float32.
std::unique_ptr<ActiveProducts> make_active_products(Precision precision);

}  // namespace hashslide
