#include "hard_negatives.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gemm.h"
#include "parallel.h"
#include "scratch.h"

namespace hashslide {
namespace {

constexpr Index tile = 128;  // neurons scored at once

Index default_cells(Index n_labels) {
    return std::max<Index>(1, std::min(n_labels, static_cast<Index>(2 * std::sqrt(static_cast<double>(n_labels)))));
}

NeuronView neurons_of(const OutputLayer& output, Index hidden) {
    return {output.weight.data(), output.bias.data(), output.n_labels(), hidden};
}

}  // namespace

HardNegatives::HardNegatives(const HardNegativesConfig& config, Index n_labels, Index hidden, std::uint64_t seed)
    : config_(config),
      hidden_(hidden),
      family_(config.cells > 0 ? std::min(config.cells, n_labels) : default_cells(n_labels), hidden, seed),
      touched_(config.per_example > 0 ? n_labels : 0),
      next_build_(config.first_build) {
    config_.probes = std::min(config_.probes, family_.n_buckets());
}

void HardNegatives::grow(Index n_labels) {
    if (!enabled()) return;
    table_.grow(n_labels);
    touched_.grow(n_labels);
}

void HardNegatives::add_to(ActiveSet& active, const OutputLayer& output, const float* h, Index batch, int n_threads) {
    if (builds_ == 0) return;
    const Index n_queries = (batch + config_.share - 1) / config_.share;
    queries_.resize(n_queries * hidden_);
    for (Index q = 0; q < n_queries; ++q)
        std::copy_n(h + q * config_.share * hidden_, hidden_, queries_.data() + q * hidden_);
    family_.probe(queries_.data(), n_queries, config_.probes, probed_, n_threads);

    // Counting sort of the look-ups by bucket.
    std::vector<Index> begin(family_.n_buckets() + 1, 0);
    for (const Id b : probed_) ++begin[b + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    looks_.resize(probed_.size());
    std::vector<Index> next(begin.begin(), begin.end() - 1);
    for (std::size_t look = 0; look < probed_.size(); ++look) looks_[next[probed_[look]]++] = static_cast<Id>(look);

    hits_.assign(probed_.size(), {});
    parallel_for(n_threads, 0, family_.n_buckets(), 4, [&](Index first, Index last) {
        for (Index b = first; b < last; ++b)
            score_bucket(output, table_.bucket(static_cast<Id>(b)),
                         {looks_.data() + begin[b], static_cast<std::size_t>(begin[b + 1] - begin[b])}, active);
    });
    found_.clear();
    for (Index q = 0; q < n_queries; ++q) {
        BestK best(config_.per_example);
        for (Index p = 0; p < config_.probes; ++p) best.offer(hits_[q * config_.probes + p]);
        for (const Hit& hit : best.hits()) found_.push_back(hit.label);
    }
    active.add(found_);
}

// hits_[look] = the best m of the bucket for the look's query, without the true labels of its example.
void HardNegatives::score_bucket(const OutputLayer& output, std::span<const Id> bucket, std::span<const Id> looks,
                                 const ActiveSet& active) {
    if (looks.empty() || bucket.empty()) return;
    const Index n_looks = static_cast<Index>(looks.size());
    float* h = scratch<0>(n_looks * hidden_);
    float* rows = scratch<1>(tile * hidden_);
    float* z = scratch<2>(n_looks * tile);
    for (Index i = 0; i < n_looks; ++i)
        std::copy_n(queries_.data() + looks[i] / config_.probes * hidden_, hidden_, h + i * hidden_);
    std::vector<BestK> best(n_looks, BestK(config_.per_example));
    for (std::size_t first = 0; first < bucket.size(); first += tile) {
        const std::span<const Id> part = bucket.subspan(first, std::min<std::size_t>(tile, bucket.size() - first));
        const Index n = static_cast<Index>(part.size());
        for (Index i = 0; i < n; ++i)
            std::copy_n(output.weight.data() + part[i] * hidden_, hidden_, rows + i * hidden_);
        gemm_nt(n_looks, n, hidden_, h, hidden_, rows, hidden_, 0.0f, z, tile);
        for (Index q = 0; q < n_looks; ++q) {
            const Index example = looks[q] / config_.probes * config_.share;
            for (Index i = 0; i < n; ++i) {
                const Hit hit{z[q * tile + i] + output.bias[part[i]], part[i]};
                if ((!best[q].full() || hit < best[q].worst()) && !active.is_true(example, part[i])) best[q].offer(hit);
            }
        }
    }
    for (Index q = 0; q < n_looks; ++q) hits_[looks[q]] = best[q].hits();
}

void HardNegatives::rehash(const ActiveSet& active, const OutputLayer& output, Index step, int n_threads) {
    for (const Id label : active.ids()) touched_.insert(label);
    if (step >= next_build_) {
        build(output, n_threads);
        next_build_ = 2 * step;
        next_refresh_ = step + config_.refresh;
    } else if (builds_ > 0 && step >= next_refresh_) {
        refresh(output, n_threads);
        next_refresh_ = step + config_.refresh;
    }
}

void HardNegatives::build(const OutputLayer& output, int n_threads) {
    const NeuronView neurons = neurons_of(output, hidden_);
    family_.fit(neurons, static_cast<std::uint64_t>(builds_++), n_threads);
    std::vector<Id> ids(neurons.n), buckets;
    std::iota(ids.begin(), ids.end(), 0);
    family_.hash_neurons(neurons, ids, buckets, n_threads);
    table_.build(std::move(buckets), family_.n_buckets());
    touched_.clear();
}

void HardNegatives::refresh(const OutputLayer& output, int n_threads) {
    const NeuronView neurons = neurons_of(output, hidden_);
    std::vector<Id> buckets;
    family_.hash_neurons(neurons, touched_.ids(), buckets, n_threads);
    for (std::size_t i = 0; i < buckets.size(); ++i) table_.move(touched_.ids()[i], buckets[i]);
    std::vector<Index> sizes(family_.n_buckets());
    for (Index b = 0; b < family_.n_buckets(); ++b)
        sizes[b] = static_cast<Index>(table_.bucket(static_cast<Id>(b)).size());
    family_.follow(neurons, touched_.ids(), buckets, sizes);
    touched_.clear();
}

}  // namespace hashslide
