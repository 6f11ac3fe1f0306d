#include "output/active_products.h"

#include <algorithm>
#include <vector>

#include "base/scratch.h"
#include "simd/gemm.h"

namespace hashslide {
namespace {

class SingleProducts : public ActiveProducts {
public:
    void start(const float* h, Index batch, Index width, Index n_active) override {
        h_ = h;
        batch_ = batch;
        width_ = width;
        n_ = n_active;
        rows_.resize(n_active * width);
    }
    void gather(const WeightView& weight, const Id* labels, Index first, Index last) override {
        for (Index i = first; i < last; ++i) weight.copy(labels[i], rows_.data() + i * width_);
    }
    void add_logits(Index first, Index last, float* z) const override {
        gemm_nt(batch_, last - first, width_, h_, width_, rows_.data() + first * width_, width_, 1.0f, z + first, n_);
    }
    void input_gradients(Index first, Index last, const float* dz, float* dh) const override {
        gemm_nn(last - first, width_, n_, dz + first * n_, n_, rows_.data(), width_, 0.0f, dh, width_);
    }
    void weight_gradients(Index first, Index last, const float* dz, float* dw) const override {
        gemm_tn(last - first, width_, batch_, dz + first, n_, h_, width_, 0.0f, dw, width_);
    }

private:
    const float* h_ = nullptr;
    Index batch_ = 0, width_ = 0, n_ = 0;
    std::vector<float> rows_;  // (n_active, width)
};

// Weights and activations are packed twice, for the products in which they are transposed and for those in which they
// are not. Each piece packs or narrows what it needs of the gradients.
class HalfProducts : public ActiveProducts {
public:
    explicit HalfProducts(const Bf16Unit& unit) : unit_(unit) {}

    void start(const float* h, Index batch, Index width, Index n_active) override {
        batch_ = batch;
        width_ = width;
        n_ = n_active;
        depth_ = padded_depth(width);
        const Index tiles = (n_active + tile - 1) / tile, blocks = (batch + block - 1) / block;
        h_.resize(batch * depth_);
        h_packed_.resize(blocks * block * depth_);
        w_packed_.resize(tiles * tile * depth_);
        w_transposed_.resize(tiles * tile * depth_);
        for (Index b = 0; b < batch; ++b) kernels().narrow(width, h + b * width, h_.data() + b * depth_);
        for (Index first = 0; first < batch; first += block) {
            const Bf16* rows[block];
            const Index n = std::min(block, batch - first);
            for (Index i = 0; i < n; ++i) rows[i] = h_.data() + (first + i) * depth_;
            unit_.pack(n, width, rows, h_packed_.data() + first * depth_);
        }
    }
    void gather(const WeightView& weight, const Id* labels, Index first, Index last) override {
        const Bf16* rows[tile];
        for (Index i = first; i < last; ++i) rows[i - first] = weight.half + labels[i] * width_;
        for (Index i = first; i < last; ++i) prefetch(rows[i - first], width_);
        unit_.pack_transposed(last - first, width_, rows, w_transposed_.data() + first * depth_);
        unit_.pack(last - first, width_, rows, w_packed_.data() + first * depth_);
    }
    void add_logits(Index first, Index last, float* z) const override {
        unit_.multiply(batch_, last - first, depth_, h_.data(), depth_, w_transposed_.data() + first * depth_,
                       z + first, n_);
    }
    void input_gradients(Index first, Index last, const float* dz, float* dh) const override {
        Bf16 left[example_block * tile];
        std::fill_n(dh, (last - first) * width_, 0.0f);
        for (Index t = 0; t < n_; t += tile) {
            const Index n = std::min(tile, n_ - t), depth = padded_depth(n);
            for (Index b = first; b < last; ++b) {
                kernels().narrow(n, dz + b * n_ + t, left + (b - first) * tile);
                std::fill_n(left + (b - first) * tile + n, depth - n, Bf16{0});
            }
            unit_.multiply(last - first, width_, depth, left, tile, w_packed_.data() + t * depth_, dh, width_);
        }
    }
    void weight_gradients(Index first, Index last, const float* dz, float* dw) const override {
        Bf16 left[tile * block];
        std::fill_n(dw, (last - first) * width_, 0.0f);
        for (Index b = 0; b < batch_; b += block) {
            const Index n = std::min(block, batch_ - b);
            unit_.narrow_transposed(n, last - first, dz + b * n_ + first, n_, left, block);
            unit_.multiply(last - first, width_, padded_depth(n), left, block, h_packed_.data() + b * depth_, dw,
                           width_);
        }
    }

private:
    static constexpr Index block = 256;  // examples whose gradients are summed at once

    const Bf16Unit& unit_;
    Index batch_ = 0, width_ = 0, n_ = 0, depth_ = 0;
    std::vector<Bf16> h_, h_packed_;             // (batch, depth); (batch, width), a block at a time
    std::vector<Bf16> w_packed_, w_transposed_;  // (n_active, width) and (width, n_active), a tile at a time
};

}  // namespace

std::unique_ptr<ActiveProducts> make_active_products(Precision precision) {
    const Bf16Unit* unit = kernels().bf16_unit();
    if (precision == Precision::bfloat16 && unit) return std::make_unique<HalfProducts>(*unit);
    return std::make_unique<SingleProducts>();
}

}  // namespace hashslide
