#include "layers/dense_layer.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index tile = 128;  // neurons, or examples, of one product

}  // namespace

void dense_products(const Neurons& neurons, const Vectors& in, float* z, int n_threads) {
    const Index units = neurons.n();
    parallel_for(n_threads, 0, units, tile, [&](Index first, Index last) {
        products(in, neurons.weight.view().from(first), nullptr, last - first, z + first, units);
        for (Index b = 0; b < in.n; ++b)
            kernels().axpy(last - first, 1.0f, neurons.bias.data() + first, z + b * units + first);
    });
}

void dense_activate(const UnitFunction& function, const std::vector<char>& has_features, Activations& out,
                    int n_threads) {
    out.scales.resize(out.n);
    parallel_for(n_threads, 0, out.n, 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b)
            out.scales[b] = function.forward(out.width, has_features[b], out.values.data() + b * out.width);
    });
}

void dense_backward_and_update(Neurons& neurons, const UnitFunction& function, Activations& in, Activations& out,
                               float rate, Index step, int n_threads) {
    const Index units = neurons.n(), width = neurons.width(), n = out.n;
    const WeightView view = neurons.weight.view();
    std::vector<float> widened(view.half ? units * width : 0);
    const float* weight = view.rows(0, units, widened.data());
    parallel_for(n_threads, 0, n, tile, [&](Index first, Index last) {
        float* dz = out.gradients.data() + first * units;
        for (Index b = first; b < last; ++b)
            function.backward(units, out.scales[b], out.values.data() + b * units, dz + (b - first) * units);
        gemm_nn(last - first, width, units, dz, units, weight, width, 0.0f, in.gradients.data() + first * width, width);
    });
    parallel_for(n_threads, 0, units, tile, [&](Index first, Index last) {
        float* gradient = scratch<0>((last - first) * width);
        float* bias_gradient = scratch<1>(last - first);
        gemm_tn(last - first, width, n, out.gradients.data() + first, units, in.values.data(), width, 0.0f, gradient,
                width);
        std::fill_n(bias_gradient, last - first, 0.0f);
        for (Index b = 0; b < n; ++b)
            kernels().axpy(last - first, 1.0f, out.gradients.data() + b * units + first, bias_gradient);
        for (Index i = first; i < last; ++i)
            neurons.update(i, rate, step, gradient + (i - first) * width, bias_gradient[i - first]);
    });
}

}  // namespace hashslide
