#include "families/minhash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/best_k.h"
#include "base/parallel.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr int value_bits = 4;
constexpr std::uint64_t donor_counter = std::uint64_t{1} << 61;
constexpr Index attempts = 16;

constexpr std::uint64_t low_half = 0xffffffff;

Id value_of(std::uint64_t word) { return static_cast<Id>(mix(word) >> (64 - value_bits)); }

}  // namespace

MinHash::MinHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed)
    : ElementaryFamily({width, config.tables, config.hashes, neurons, value_bits, Stream::minhash, seed}),
      top_(std::min(config.top, width)),
      bins_(static_cast<Index>(std::bit_floor(static_cast<std::uint64_t>(std::max<Index>(top_ / 2, 1))))),
      permutations_((n_hashes() + bins_ - 1) / bins_),
      words_(width * permutations_),
      donors_(n_hashes() * attempts) {}

void MinHash::draw_hashes(const CounterRng& rng, int n_threads) {
    parallel_for(n_threads, 0, static_cast<Index>(words_.size()), 4096, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            words_[i] = (rng.bits(i) & ~low_half) | static_cast<std::uint64_t>(i / permutations_);
    });
    for (std::size_t i = 0; i < donors_.size(); ++i) donors_[i] = static_cast<Id>(rng.below(donor_counter + i, bins_));
}

// In the order of the ids.
void MinHash::find_support(const Vectors& vectors, Index i, std::vector<Entry>& support) const {
    support.clear();
    const Index first = vectors.sparse ? vectors.begin[i] : i * width();
    for (Index e = first; e < first + vectors.size(i); ++e)
        if (vectors.values[e] != 0.0f)
            support.push_back({vectors.sparse ? vectors.ids[e] : static_cast<Id>(e - first), vectors.values[e]});
    if (static_cast<Index>(support.size()) > top_) {
        const auto larger = [](const Entry& a, const Entry& b) {
            return ranked(a.value, a.id) < ranked(b.value, b.id);
        };
        std::nth_element(support.begin(), support.begin() + top_ - 1, support.end(), larger);
        support.resize(top_);
    }
    std::ranges::sort(support, {}, &Entry::id);
}

// The bins of all permutations: (permutations, bins).
void MinHash::find_minima(const std::vector<Entry>& support, std::vector<Bin>& bins) const {
    bins.assign(permutations_ * bins_, Bin{});
    for (const Entry& entry : support)
        for (Index p = 0; p < permutations_; ++p) {
            const std::uint64_t word = words_[entry.id * permutations_ + p];
            Bin& bin = bins[p * bins_ + static_cast<Index>((word >> 32) * bins_ >> 32)];
            bin.second = std::min(bin.second, std::max(bin.first, word));
            bin.first = std::min(bin.first, word);
        }
}

// The own bin of a hash, or the one of the same permutation that it borrows from: the first of its donors that is not
// empty, or the next bin that is not. An empty one if all are.
const MinHash::Bin& MinHash::filled(Index hash, const std::vector<Bin>& bins) const {
    if (bins[hash].first != empty) return bins[hash];
    const Index begin = hash & ~(bins_ - 1);
    for (Index i = hash * attempts; i < (hash + 1) * attempts; ++i)
        if (bins[begin + donors_[i]].first != empty) return bins[begin + donors_[i]];
    Index next = hash;
    for (Index i = 1; i < bins_ && bins[next].first == empty; ++i) next = begin + ((next + 1) & (bins_ - 1));
    return bins[next];
}

// Calls f(hash, bin, support) for all hashes of a vector.
template <class F>
void MinHash::for_each_hash(const Vectors& vectors, Index i, F&& f) const {
    thread_local std::vector<Entry> support;
    thread_local std::vector<Bin> bins;
    find_support(vectors, i, support);
    find_minima(support, bins);
    for (Index hash = 0; hash < n_hashes(); ++hash) f(hash, filled(hash, bins), support);
}

void MinHash::hash_block(const Vectors& vectors, Id* values) const {
    for (Index i = 0; i < vectors.n; ++i)
        for_each_hash(vectors, i, [&](Index hash, const Bin& bin, const std::vector<Entry>&) {
            values[hash * lanes + i] = value_of(bin.first);
        });
}

// A minimum of small magnitude is likely to be missing from a neighbour's support, whose minimum then is the second.
void MinHash::probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const {
    for (Index i = 0; i < vectors.n; ++i)
        for_each_hash(vectors, i, [&](Index hash, const Bin& bin, const std::vector<Entry>& support) {
            const Index at = hash * lanes + i;
            values[at] = value_of(bin.first);
            seconds[at] = value_of(bin.second);
            gaps[at] = std::numeric_limits<float>::infinity();
            if (bin.second == empty) return;
            const Id id = static_cast<Id>(bin.first & low_half);
            gaps[at] = std::abs(std::ranges::lower_bound(support, id, {}, &Entry::id)->value);
        });
}

double MinHash::collision_probability(const float* a, const float* b) const {
    std::vector<Entry> of_a, of_b, both;
    find_support(Vectors::dense(a, 1, width()), 0, of_a);
    find_support(Vectors::dense(b, 1, width()), 0, of_b);
    if (of_a.empty() && of_b.empty()) return 1.0;
    std::ranges::set_intersection(of_a, of_b, std::back_inserter(both), {}, &Entry::id, &Entry::id);
    const double common = static_cast<double>(both.size());
    const double jaccard = common / (static_cast<double>(of_a.size() + of_b.size()) - common);
    return jaccard + (1.0 - jaccard) / (1 << value_bits);
}

}  // namespace hashslide
