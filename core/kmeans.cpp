#include "kmeans.h"

#include <algorithm>
#include <numeric>

#include "gemm.h"
#include "parallel.h"
#include "rng.h"
#include "scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index sample_per_cell = 64;
constexpr int iterations = 4;
constexpr Index block = 128;  // vectors of one product with all centres

}  // namespace

KMeansCells::KMeansCells(Index n_cells, Index width, std::uint64_t seed)
    : n_cells_(n_cells),
      width_(width),
      seed_(seed),
      mean_(width),
      centres_(n_cells * width),
      biases_(n_cells),
      offsets_(n_cells) {}

void KMeansCells::fit(const NeuronView& neurons, std::uint64_t round, int n_threads) {
    set_mean(neurons);
    const std::vector<Id> ids = sample(neurons.n, round);
    // The first n_cells of the sample, which is in random order, are the first centres.
    std::vector<Id> cells(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
        cells[i] = i < static_cast<std::size_t>(n_cells_) ? static_cast<Id>(i) : -1;
    move_centres(neurons, ids, cells, n_threads);
    for (int i = 0; i < iterations; ++i) {
        hash_neurons(neurons, ids, cells, n_threads);
        move_centres(neurons, ids, cells, n_threads);
    }
}

void KMeansCells::set_mean(const NeuronView& neurons) {
    std::vector<double> sum(width_, 0.0);
    for (Index i = 0; i < neurons.n; ++i)
        for (Index j = 0; j < width_; ++j) sum[j] += neurons.weight[i * width_ + j];
    const double n = static_cast<double>(neurons.n);
    for (Index j = 0; j < width_; ++j) mean_[j] = static_cast<float>(sum[j] / n);
    mean_bias_ = static_cast<float>(std::accumulate(neurons.bias, neurons.bias + neurons.n, 0.0) / n);
}

// A random sample without replacement in random order: the beginning of a Fisher-Yates shuffle.
std::vector<Id> KMeansCells::sample(Index n, std::uint64_t round) const {
    const CounterRng rng(seed_, Stream::cells, round);
    std::vector<Id> ids(n);
    std::iota(ids.begin(), ids.end(), 0);
    const Index size = std::min(n, sample_per_cell * n_cells_);
    for (Index i = 0; i < size; ++i) std::swap(ids[i], ids[i + rng.below(static_cast<std::uint64_t>(i), n - i)]);
    ids.resize(size);
    return ids;
}

// Each centre becomes the mean of its neurons (bucket -1: of none); a cell without neurons keeps its centre.
void KMeansCells::move_centres(const NeuronView& neurons, const std::vector<Id>& ids, const std::vector<Id>& buckets,
                               int n_threads) {
    std::vector<std::vector<Id>> members(n_cells_);
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (buckets[i] >= 0) members[buckets[i]].push_back(ids[i]);
    parallel_for(n_threads, 0, n_cells_, 16, [&](Index first, Index last) {
        for (Index c = first; c < last; ++c) {
            if (members[c].empty()) continue;
            float* centre = centres_.data() + c * width_;
            const float share = 1.0f / static_cast<float>(members[c].size());
            std::fill_n(centre, width_, 0.0f);
            biases_[c] = -mean_bias_;
            for (const Id id : members[c]) {
                kernels().axpy(width_, share, neurons.weight + id * width_, centre);
                biases_[c] += share * neurons.bias[id];
            }
            kernels().axpy(width_, -1.0f, mean_.data(), centre);
        }
    });
    update_offsets();
}

void KMeansCells::update_offsets() {
    const Kernels& k = kernels();
    for (Index c = 0; c < n_cells_; ++c) {
        const float* centre = centres_.data() + c * width_;
        offsets_[c] = 0.5f * (k.sum_of_squares(width_, centre) + biases_[c] * biases_[c]) +
                      k.dot(width_, mean_.data(), centre) + mean_bias_ * biases_[c];
    }
}

void KMeansCells::hash_neurons(const NeuronView& neurons, const std::vector<Id>& ids, std::vector<Id>& buckets,
                               int n_threads) const {
    buckets.resize(ids.size());
    parallel_for(n_threads, 0, static_cast<Index>(ids.size()), block, [&](Index first, Index last) {
        const Index n = last - first;
        float* rows = scratch<0>(n * width_);
        float* scores = scratch<1>(n * n_cells_);
        for (Index i = 0; i < n; ++i) std::copy_n(neurons.weight + ids[first + i] * width_, width_, rows + i * width_);
        gemm_nt(n, n_cells_, width_, rows, width_, centres_.data(), width_, 0.0f, scores, n_cells_);
        for (Index i = 0; i < n; ++i) {
            float* z = scores + i * n_cells_;
            kernels().axpy(n_cells_, neurons.bias[ids[first + i]], biases_.data(), z);
            kernels().axpy(n_cells_, -1.0f, offsets_.data(), z);
            buckets[first + i] = static_cast<Id>(std::max_element(z, z + n_cells_) - z);
        }
    });
}

void KMeansCells::probe(const float* queries, Index n, Index probes, std::vector<Id>& buckets, int n_threads) const {
    buckets.resize(n * probes);
    parallel_for(n_threads, 0, n, block, [&](Index first, Index last) {
        float* scores = scratch((last - first) * n_cells_);
        std::vector<Id> order(n_cells_);
        for (Index i = 0; i < last - first; ++i) std::copy(biases_.begin(), biases_.end(), scores + i * n_cells_);
        gemm_nt(last - first, n_cells_, width_, queries + first * width_, width_, centres_.data(), width_, 1.0f, scores,
                n_cells_);
        for (Index i = 0; i < last - first; ++i) {
            const float* z = scores + i * n_cells_;
            std::iota(order.begin(), order.end(), 0);
            std::partial_sort(order.begin(), order.begin() + probes, order.end(),
                              [z](Id a, Id b) { return z[a] != z[b] ? z[a] > z[b] : a < b; });
            std::copy_n(order.begin(), probes, buckets.begin() + (first + i) * probes);
        }
    });
}

void KMeansCells::follow(const NeuronView& neurons, const std::vector<Id>& ids, const std::vector<Id>& buckets,
                         const std::vector<Index>& cell_sizes) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const Id c = buckets[i];
        float* centre = centres_.data() + c * width_;
        const float share = 1.0f / static_cast<float>(std::max<Index>(1, cell_sizes[c]));
        kernels().scale(width_, 1.0f - share, centre);
        kernels().axpy(width_, share, neurons.weight + ids[i] * width_, centre);
        kernels().axpy(width_, -share, mean_.data(), centre);
        biases_[c] += share * (neurons.bias[ids[i]] - mean_bias_ - biases_[c]);
    }
    update_offsets();
}

}  // namespace hashslide
