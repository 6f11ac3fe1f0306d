#include "layers/dense_over_sparse.h"

#include "base/parallel.h"

namespace hashslide {

void DenseOverSparse::forward(const Activations& in, Activations& out, LayerWork& work, std::uint64_t, Index,
                              int n_threads) const {
    work.active_units.start();
    for (Index b = 0; b < in.n; ++b) {
        for (Index e = in.begin[b]; e < in.begin[b + 1]; ++e) work.active_units.add(in.ids[e], in.values[e]);
        work.active_units.end_example();
    }
    rows.forward(work.active_units, in.has_features, out, n_threads);
    work.multiplications += active_pairs(in);
}

void DenseOverSparse::backward_and_update(Activations& in, bool, Activations& out, LayerWork& work, float rate,
                                          Index step, int n_threads) {
    rows.backward(out, n_threads);
    input_gradients(in, out, n_threads);
    rows.update(work.active_units, out, rate, step, n_threads);
    work.multiplications += 2.0 * active_pairs(in);
}

void DenseOverSparse::input_gradients(Activations& in, const Activations& out, int n_threads) const {
    in.gradients.resize(in.ids.size());
    parallel_for(n_threads, 0, in.n, 16, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b) {
            const Index begin = in.begin[b], n = in.begin[b + 1] - begin;
            rows.weight.view().products(1, out.gradients.data() + b * width(), in.ids.data() + begin, n,
                                        in.gradients.data() + begin, n);
        }
    });
}

}  // namespace hashslide
