#include "output/active_products.h"

#include <algorithm>
#include <vector>

#include "base/prefetch.h"
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
    void start_beside(const ActiveProducts& other, Index n_active) override {
        const auto& from = static_cast<const SingleProducts&>(other);
        start(from.h_, from.batch_, from.width_, n_active);
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
        const Index depth = padded_depth(width), blocks = (batch + block - 1) / block;
        own_h_.resize(batch * depth);
        own_h_packed_.resize(blocks * block * depth);
        for (Index b = 0; b < batch; ++b) kernels().narrow(width, h + b * width, own_h_.data() + b * depth);
        for (Index first = 0; first < batch; first += block) {
            const Bf16* rows[block];
            const Index n = std::min(block, batch - first);
            for (Index i = 0; i < n; ++i) rows[i] = own_h_.data() + (first + i) * depth;
            unit_.pack(n, width, rows, own_h_packed_.data() + first * depth);
        }
        set(batch, width, n_active, own_h_.data(), own_h_packed_.data());
    }
    void start_beside(const ActiveProducts& other, Index n_active) override {
        const auto& from = static_cast<const HalfProducts&>(other);
        set(from.batch_, from.width_, n_active, from.h_, from.h_packed_);
    }
    void gather(const WeightView& weight, const Id* labels, Index first, Index last) override {
        const Bf16* rows[tile];
        for (Index i = first; i < last; ++i) rows[i - first] = weight.half + labels[i] * width_;
        for (Index i = first; i < last; ++i) prefetch(rows[i - first], width_);
        unit_.pack_transposed(last - first, width_, rows, w_transposed_.data() + first * depth_);
        unit_.pack(last - first, width_, rows, w_packed_.data() + first * depth_);
    }
    void add_logits(Index first, Index last, float* z) const override {
        unit_.multiply(batch_, last - first, depth_, h_, depth_, w_transposed_.data() + first * depth_, z + first, n_);
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
            unit_.multiply(last - first, width_, padded_depth(n), left, block, h_packed_ + b * depth_, dw, width_);
        }
    }

private:
    static constexpr Index block = 256;  // examples whose gradients are summed at once

    void set(Index batch, Index width, Index n_active, const Bf16* h, const Bf16* h_packed) {
        batch_ = batch;
        width_ = width;
        n_ = n_active;
        depth_ = padded_depth(width);
        h_ = h;
        h_packed_ = h_packed;
        const Index tiles = (n_active + tile - 1) / tile;
        w_packed_.resize(tiles * tile * depth_);
        w_transposed_.resize(tiles * tile * depth_);
    }

    const Bf16Unit& unit_;
    Index batch_ = 0, width_ = 0, n_ = 0, depth_ = 0;
    const Bf16 *h_ = nullptr, *h_packed_ = nullptr;  // (batch, depth); (batch, width), a block at a time
    std::vector<Bf16> own_h_, own_h_packed_;         // the same, unless they are others'
    std::vector<Bf16> w_packed_, w_transposed_;      // (n_active, width) and (width, n_active), a tile at a time
};

}  // namespace

std::unique_ptr<ActiveProducts> make_active_products(Precision precision) {
    const Bf16Unit* unit = kernels().bf16_unit();
    if (precision == Precision::bfloat16 && unit) return std::make_unique<HalfProducts>(*unit);
    return std::make_unique<SingleProducts>();
}

}  // namespace hashslide
