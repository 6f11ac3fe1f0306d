#include "neuron_vectors.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "parallel.h"
#include "scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index block = 1024;  // neurons of one piece of work

}  // namespace

void MipsMap::fit(const NeuronView& neurons, int n_threads) {
    if (config_.centre) fit_mean(neurons, n_threads);
    if (!needs_norms() || neurons.n == 0) return;
    std::vector<float> norms(neurons.n);
    parallel_for(n_threads, 0, neurons.n, block, [&](Index first, Index last) {
        float* vector = scratch(width());
        for (Index i = first; i < last; ++i) {
            centred(neurons, static_cast<Id>(i), vector);
            norms[i] = std::sqrt(kernels().sum_of_squares(width_ + config_.bias, vector));
        }
    });
    longest_.resize(ranges());
    auto begin = norms.begin();
    for (Index r = 0; r < ranges(); ++r) {
        const Index rank = std::max<Index>(0, (r + 1) * neurons.n / ranges() - 1);
        std::nth_element(begin, norms.begin() + rank, norms.end());
        longest_[r] = norms[rank];
        begin = norms.begin() + rank;
    }
}

// Sums of fixed pieces, added in their order: the same for any number of threads.
void MipsMap::fit_mean(const NeuronView& neurons, int n_threads) {
    const Index pieces = (neurons.n + block - 1) / block, d = width_ + config_.bias;
    std::vector<float> sums(pieces * d);
    parallel_for(n_threads, 0, neurons.n, block, [&](Index first, Index last) {
        float* sum = sums.data() + first / block * d;
        for (Index i = first; i < last; ++i) {
            kernels().axpy(width_, 1.0f, neurons.weight + i * width_, sum);
            if (config_.bias) sum[width_] += neurons.bias[i];
        }
    });
    std::fill(mean_.begin(), mean_.end(), 0.0f);
    for (Index p = 0; p < pieces; ++p)
        kernels().axpy(d, 1.0f / static_cast<float>(neurons.n), sums.data() + p * d, mean_.data());
}

void MipsMap::centred(const NeuronView& neurons, Id id, float* vector) const {
    std::copy_n(neurons.weight + id * width_, width_, vector);
    if (config_.bias) vector[width_] = neurons.bias[id];
    if (!mean_.empty()) kernels().axpy(static_cast<Index>(mean_.size()), -1.0f, mean_.data(), vector);
}

void MipsMap::map_neurons(const NeuronView& neurons, const Id* ids, Index n, float* vectors, Id* ranges) const {
    const Index d = width_ + config_.bias;
    for (Index i = 0; i < n; ++i) {
        float* vector = vectors + i * width();
        centred(neurons, ids[i], vector);
        Index range = 0;
        if (!longest_.empty()) {
            const float squared = kernels().sum_of_squares(d, vector), norm = std::sqrt(squared);
            while (range + 1 < config_.norm_ranges && norm > longest_[range]) ++range;
            const float longest = longest_[range];
            if (config_.augment) vector[d] = std::sqrt(std::max(0.0f, longest * longest - squared));
            if (config_.norm_ranges > 1 && longest > 0) kernels().scale(width(), 1.0f / longest, vector);
        }
        if (ranges) ranges[i] = static_cast<Id>(range);
    }
}

Vectors MipsMap::map_queries(const Vectors& queries, VectorList& memory) const {
    if (width() == width_) return queries;
    memory.start(width(), queries.sparse);
    for (Index i = 0; i < queries.n; ++i) {
        memory.append(queries, i);
        if (config_.bias) memory.extend(static_cast<Id>(width_), 1.0f);
        if (config_.augment) memory.extend(static_cast<Id>(width() - 1), 0.0f);
    }
    return memory.view();
}

State MipsMap::state() const { return {{"mean", mean_}, {"longest", longest_}}; }

void MipsMap::restore(const State& state) {
    const auto& mean = array_of<float>(state, "mean");
    const auto& longest = array_of<float>(state, "longest");
    const Index n_longest = needs_norms() ? ranges() : 0;
    if (mean.size() != mean_.size() || static_cast<Index>(longest.size()) != n_longest)
        throw std::invalid_argument("a mean or lengths of neurons of another width or number of ranges");
    mean_ = mean;
    longest_ = longest;
}

}  // namespace hashslide
