#include "families/simhash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "base/parallel.h"
#include "base/scratch.h"
#include "families/permutation.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr int projection_slot = 101, work_slot = 102;
constexpr Index rounds = 3;
constexpr std::uint64_t sign_counter = std::uint64_t{1} << 61;

double dot(Index n, const float* a, const float* b) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
}

// Box & Muller 1958, with the uniform number that goes into the logarithm in (0, 1].
float normal(const CounterRng& rng, std::uint64_t index) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - rng.uniform(2 * index)));
    return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * rng.uniform(2 * index + 1)));
}

}  // namespace

SimHash::SimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed)
    : ElementaryFamily({width, config.tables, config.hashes, neurons, 1, Stream::simhash, seed}) {}

// A vector of zeros has no angle; its bits are 0.
double SimHash::collision_probability(const float* a, const float* b) const {
    const double aa = dot(width(), a, a), bb = dot(width(), b, b);
    if (aa == 0 || bb == 0) return aa == bb ? 1.0 : 0.5;
    const double cosine = dot(width(), a, b) / std::sqrt(aa * bb);
    return 1.0 - std::acos(std::clamp(cosine, -1.0, 1.0)) / std::numbers::pi;
}

void SimHash::hash_block(const Vectors& vectors, Id* values) const {
    float* projections = scratch<projection_slot>(n_hashes() * lanes);
    project(vectors, projections);
    for (Index i = 0; i < n_hashes() * lanes; ++i) values[i] = projections[i] > 0.0f;
}

void SimHash::probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const {
    project(vectors, gaps);
    for (Index i = 0; i < n_hashes() * lanes; ++i) {
        values[i] = gaps[i] > 0.0f;
        seconds[i] = 1 - values[i];
        gaps[i] = std::abs(gaps[i]);
    }
}

DenseSimHash::DenseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed)
    : SimHash(config, width, neurons, seed), directions_(n_hashes() * width) {}

void DenseSimHash::draw_hashes(const CounterRng& rng, int n_threads) {
    parallel_for(n_threads, 0, static_cast<Index>(directions_.size()), 4096, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) directions_[i] = normal(rng, i % n_hashes() * width() + i / n_hashes());
    });
}

void DenseSimHash::project(const Vectors& x, float* projections) const {
    if (!x.sparse) {
        kernels().project(n_hashes(), width(), directions_.data(), transposed(x, 0.0f), projections);
        return;
    }
    float* sums = scratch<work_slot>(n_hashes());
    for (Index i = 0; i < x.n; ++i) {
        std::fill_n(sums, n_hashes(), 0.0f);
        for (Index e = x.begin[i]; e < x.begin[i + 1]; ++e)
            kernels().axpy(n_hashes(), x.values[e], directions_.data() + x.ids[e] * n_hashes(), sums);
        for (Index hash = 0; hash < n_hashes(); ++hash) projections[hash * lanes + i] = sums[hash];
    }
}

SparseSimHash::SparseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed)
    : SimHash(config, width, neurons, seed),
      size_((width + 2) / 3),
      coordinates_(n_hashes() * size_),
      plus_(n_hashes()) {}

// The coordinates come in random order, so it suffices to draw the number of those with the factor 1.
void SparseSimHash::draw_hashes(const CounterRng& rng, int) {
    Permutation permutation(width());
    std::fill(plus_.begin(), plus_.end(), 0);
    for (Index r = 0; r < n_hashes(); ++r) {
        std::copy_n(permutation.shuffle(size_, rng, r * size_), size_, coordinates_.data() + r * size_);
        for (Index i = r * size_; i < (r + 1) * size_; ++i) plus_[r] += rng.bits(sign_counter + i) >> 63;
    }
    occurrences_.find(coordinates_, width());
}

void SparseSimHash::project(const Vectors& x, float* projections) const {
    if (!x.sparse) {
        const float* columns = transposed(x, 0.0f);
        kernels().project_signs(n_hashes(), size_, coordinates_.data(), plus_.data(), columns, projections);
        return;
    }
    std::fill_n(projections, n_hashes() * lanes, 0.0f);
    for (Index i = 0; i < x.n; ++i)
        for (Index e = x.begin[i]; e < x.begin[i + 1]; ++e)
            for (const Id at : occurrences_.of(x.ids[e])) {
                const Index hash = at / size_;
                projections[hash * lanes + i] += at % size_ < plus_[hash] ? x.values[e] : -x.values[e];
            }
}

FastSimHash::FastSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed)
    : SimHash(config, width, neurons, seed),
      padded_(static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(width)))),
      signs_((n_hashes() + padded_ - 1) / padded_ * rounds * padded_) {}

void FastSimHash::draw_hashes(const CounterRng& rng, int) {
    for (std::size_t i = 0; i < signs_.size(); ++i) signs_[i] = rng.bits(i) >> 63 ? 1.0f : -1.0f;
}

void FastSimHash::project(const Vectors& x, float* projections) const {
    const float* columns = transposed(x, 0.0f);
    float* work = scratch<work_slot>(padded_ * lanes);
    const float* signs = signs_.data();
    for (Index begin = 0; begin < n_hashes(); begin += padded_) {
        std::copy_n(columns, width() * lanes, work);
        std::fill(work + width() * lanes, work + padded_ * lanes, 0.0f);
        for (Index i = 0; i < rounds; ++i, signs += padded_) kernels().hadamard(padded_, signs, work);
        std::copy_n(work, std::min(padded_, n_hashes() - begin) * lanes, projections + begin * lanes);
    }
}

void SignFamily::signs(const Vectors& vectors, std::uint64_t* words) const {
    const Index n_words = (n_tables() + 63) / 64;
    float* projections = scratch<projection_slot>(n_tables() * lanes);
    for (Index begin = 0; begin < vectors.n; begin += lanes) {
        const Index size = std::min(lanes, vectors.n - begin);
        project(vectors.part(begin, begin + size), projections);
        kernels().pack_signs(n_tables(), size, projections, words + begin * n_words);
    }
}

}  // namespace hashslide
