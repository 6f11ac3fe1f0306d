#include "output/example_products.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index neuron_grain = 64;
constexpr Index prefetched = 4;  // neurons whose memory is asked for ahead
// The gradients of the inputs are summed over so many pieces of the touched neurons, each with memory of its own: so
// the sums have the same order for any number of threads.
constexpr Index gradient_pieces = 8;

// Sums sparse gradients of one row without clearing the row: an entry counts if it carries the current stamp.
struct SparseSum {
    IdMap map;
    std::vector<float> values;

    void start(Index width) {
        map.grow(std::max(width, map.capacity()));
        map.clear();
        values.clear();
    }
    void add(Id coordinate, float value) {
        if (map.contains(coordinate))
            values[map.position(coordinate)] += value;
        else {
            map.insert(coordinate);
            values.push_back(value);
        }
    }
};

}  // namespace

void ExampleProducts::set(const std::vector<Index>& begin, const std::vector<Id>& ids) {
    if (std::ssize(ids) > std::numeric_limits<Id>::max())
        throw std::length_error("a batch activates more than 2^31 neurons; make it smaller, or its budget");
    touched_.clear();
    by_neuron_.assign(1, 0);
    for (const Id id : ids) {
        const Id t = touched_.insert(id);
        if (t + 2 > static_cast<Index>(by_neuron_.size())) by_neuron_.push_back(0);
        ++by_neuron_[t + 1];
    }
    for (std::size_t t = 1; t < by_neuron_.size(); ++t) by_neuron_[t] += by_neuron_[t - 1];
    next_.assign(by_neuron_.begin(), by_neuron_.end() - 1);
    pairs_.resize(ids.size());
    for (std::size_t b = 0; b + 1 < begin.size(); ++b)
        for (Index p = begin[b]; p < begin[b + 1]; ++p)
            pairs_[next_[touched_.position(ids[p])]++] = {static_cast<Id>(b), static_cast<Id>(p)};
}

// One for each pair and active input.
double ExampleProducts::multiplications_of(const Activations& in) const {
    const Vectors inputs = in.view();
    double sum = 0;
    for (const Pair p : pairs_) sum += static_cast<double>(inputs.size(p.example));
    return sum;
}

void ExampleProducts::forward(const Neurons& neurons, const Activations& in, float* z, int n_threads) {
    const Index n = static_cast<Index>(touched_.ids().size());
    const Vectors inputs = in.view();
    const WeightView rows = neurons.weight.view();
    parallel_for(n_threads, 0, n, neuron_grain, [&](Index first, Index last) {
        for (Index t = first; t < last; ++t) {
            if (t + prefetched < n) neurons.prefetch_neuron(touched_.ids()[t + prefetched]);
            const Id neuron = touched_.ids()[t];
            const float bias = neurons.bias[neuron];
            for (const Pair p : pairs(t)) z[p.pair] = bias + inputs.dot(p.example, rows, neuron);
        }
    });
    multiplications += multiplications_of(in);
}

void ExampleProducts::backward_and_update(Neurons& neurons, Activations& in, bool in_gradient, const float* dz,
                                          float rate, Index step, int n_threads) {
    const Index n = static_cast<Index>(touched_.ids().size()), entries = in.entries();
    const Index grain = (n + gradient_pieces - 1) / gradient_pieces;
    if (in_gradient) piece_gradients_.resize(gradient_pieces * entries);
    parallel_for(n_threads, 0, n, std::max<Index>(1, grain), [&](Index first, Index last) {
        float* gradient = in_gradient ? piece_gradients_.data() + first / grain * entries : nullptr;
        if (gradient) std::fill_n(gradient, entries, 0.0f);
        for (Index t = first; t < last; ++t) {
            if (t + prefetched < last) {
                neurons.prefetch_neuron(touched_.ids()[t + prefetched]);
                neurons.prefetch_state(touched_.ids()[t + prefetched]);
            }
            in.sparse ? neuron_sparse(neurons, in, t, dz, rate, step, gradient)
                      : neuron_dense(neurons, in, t, dz, rate, step, gradient);
        }
    });
    multiplications += (in_gradient ? 2.0 : 1.0) * multiplications_of(in);
    if (!in_gradient) return;
    const Index used = n == 0 ? 0 : (n + grain - 1) / grain;
    parallel_for(n_threads, 0, entries, 1 << 12, [&](Index first, Index last) {
        for (Index piece = 0; piece < used; ++piece)
            kernels().axpy(last - first, 1.0f, piece_gradients_.data() + piece * entries + first,
                           in.gradients.data() + first);
    });
}

void ExampleProducts::neuron_dense(Neurons& neurons, const Activations& in, Index t, const float* dz, float rate,
                                   Index step, float* in_gradient) {
    const Kernels& k = kernels();
    const Id neuron = touched_.ids()[t];
    float* sum = scratch(in.width);
    float bias_sum = 0;
    std::fill_n(sum, in.width, 0.0f);
    for (const Pair p : pairs(t)) {
        const float g = dz[p.pair];
        if (g == 0) continue;
        bias_sum += g;
        k.axpy(in.width, g, in.values.data() + p.example * in.width, sum);
        if (in_gradient) neurons.weight.view().add(neuron, g, in_gradient + p.example * in.width);
    }
    neurons.update(neuron, rate, step, sum, bias_sum);
}

void ExampleProducts::neuron_sparse(Neurons& neurons, const Activations& in, Index t, const float* dz, float rate,
                                    Index step, float* in_gradient) {
    thread_local SparseSum sum;
    const Id neuron = touched_.ids()[t];
    const WeightView rows = neurons.weight.view();
    float bias_sum = 0;
    sum.start(in.width);
    for (const Pair p : pairs(t)) {
        const float g = dz[p.pair];
        if (g == 0) continue;
        bias_sum += g;
        for (Index e = in.begin[p.example]; e < in.begin[p.example + 1]; ++e) {
            sum.add(in.ids[e], g * in.values[e]);
            if (in_gradient) in_gradient[e] += g * rows.at(neuron, in.ids[e]);
        }
    }
    neurons.update_entries(neuron, rate, step, sum.map.ids().data(), static_cast<Index>(sum.values.size()),
                           sum.values.data(), bias_sum);
}

}  // namespace hashslide
