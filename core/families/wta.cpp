#include "families/wta.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/scratch.h"
#include "families/permutation.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr std::uint64_t donor_counter = std::uint64_t{1} << 61;
constexpr Index attempts = 16;
constexpr int gap_slot = 103;

// Chance that `drawn` of n coordinates, without replacement, are all among `good` ones.
double chance_of_all(Index good, Index n, Index drawn) {
    double chance = 1.0;
    for (Index i = 0; i < drawn; ++i) chance *= static_cast<double>(std::max<Index>(good - i, 0)) / (n - i);
    return chance;
}

}  // namespace

WinnerTakesAll::WinnerTakesAll(const HashFamilyConfig& config, bool densified, Index width, Index neurons,
                               std::uint64_t seed)
    : ElementaryFamily({width, config.tables, config.hashes, neurons,
                        std::countr_zero(static_cast<std::uint64_t>(config.bin_size)), Stream::wta, seed}),
      bin_size_(std::min(config.bin_size, width)),
      densified_(densified),
      coordinates_(n_hashes() * bin_size_),
      donors_(densified ? n_hashes() * attempts : 0) {}

float WinnerTakesAll::absent() const { return densified_ ? -std::numeric_limits<float>::infinity() : 0.0f; }

void WinnerTakesAll::draw_hashes(const CounterRng& rng, int) {
    const Index bins = width() / bin_size_;
    Permutation permutation(width());
    for (Index begin = 0; begin < n_hashes(); begin += bins) {
        const Index size = std::min(bins, n_hashes() - begin) * bin_size_;
        std::copy_n(permutation.shuffle(size, rng, begin * bin_size_), size, coordinates_.data() + begin * bin_size_);
    }
    for (std::size_t i = 0; i < donors_.size(); ++i)
        donors_[i] = static_cast<Id>(rng.below(donor_counter + i, n_hashes()));
    if (densified_) occurrences_.find(coordinates_, width());
}

// The bin that an empty one borrows from: the first of its donors that is not empty, or the next bin that is not. The
// bin itself if all are empty. places: of one vector, at stride `lanes`.
Index WinnerTakesAll::donor(Index bin, const Id* places) const {
    const auto full = [&](Index b) { return places[b * lanes] >= 0; };
    for (Index i = bin * attempts; i < (bin + 1) * attempts; ++i)
        if (full(donors_[i])) return donors_[i];
    for (Index i = 1; i < n_hashes(); ++i)
        if (full((bin + i) % n_hashes())) return (bin + i) % n_hashes();
    return bin;
}

// seconds and gaps: null unless they are to be borrowed as well.
void WinnerTakesAll::densify(Index lane, Id* places, Id* seconds, float* gaps) const {
    std::vector<std::pair<Index, Index>> loans;
    for (Index bin = 0; bin < n_hashes(); ++bin)
        if (places[bin * lanes + lane] < 0) loans.emplace_back(bin, donor(bin, places + lane));
    for (const auto& [to, from] : loans) {
        places[to * lanes + lane] = std::max(places[from * lanes + lane], Id{0});
        if (!seconds) continue;
        seconds[to * lanes + lane] = seconds[from * lanes + lane];
        gaps[to * lanes + lane] = gaps[from * lanes + lane];
    }
}

// What Kernels::winners_and_seconds finds, from the entries of sparse vectors alone: absent coordinates cannot win.
void WinnerTakesAll::find_present(const Vectors& vectors, Id* places, Id* seconds, float* gaps) const {
    constexpr float none = -std::numeric_limits<float>::infinity();
    std::vector<float> best(n_hashes() * lanes, none), next(n_hashes() * lanes, none);
    std::fill_n(places, n_hashes() * lanes, -1);
    std::fill_n(seconds, n_hashes() * lanes, -1);
    const auto wins = [](float v, Id place, float other, Id other_place) {
        return v > other || (v == other && place < other_place);
    };
    for (Index i = 0; i < vectors.n; ++i)
        for (Index e = vectors.begin[i]; e < vectors.begin[i + 1]; ++e) {
            const float v = vectors.values[e];
            if (v == 0.0f) continue;
            for (const Id occurrence : occurrences_.of(vectors.ids[e])) {
                const Index at = occurrence / bin_size_ * lanes + i;
                const Id place = static_cast<Id>(occurrence % bin_size_);
                if (wins(v, place, best[at], places[at])) {
                    next[at] = std::exchange(best[at], v);
                    seconds[at] = std::exchange(places[at], place);
                } else if (wins(v, place, next[at], seconds[at])) {
                    next[at] = v;
                    seconds[at] = place;
                }
            }
        }
    for (Index at = 0; at < n_hashes() * lanes; ++at) gaps[at] = next[at] == none ? -none : best[at] - next[at];
}

void WinnerTakesAll::hash_block(const Vectors& vectors, Id* values) const {
    Id smallest = -1;
    if (vectors.sparse && densified_) {
        std::vector<Id> seconds(n_hashes() * lanes);
        find_present(vectors, values, seconds.data(), scratch<gap_slot>(n_hashes() * lanes));
    } else {
        const float* x = transposed(vectors, absent());
        smallest = kernels().winners(n_hashes(), bin_size_, coordinates_.data(), x, densified_ ? -1 : 0, values);
    }
    for (Index i = 0; smallest < 0 && i < vectors.n; ++i) densify(i, values, nullptr, nullptr);
}

void WinnerTakesAll::probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const {
    Id smallest = -1;
    if (vectors.sparse && densified_)
        find_present(vectors, values, seconds, gaps);
    else
        smallest =
            kernels().winners_and_seconds(n_hashes(), bin_size_, coordinates_.data(), transposed(vectors, absent()),
                                          densified_ ? -1 : 0, values, seconds, gaps);
    for (Index i = 0; smallest < 0 && i < vectors.n; ++i) densify(i, values, seconds, gaps);
}

// Does b, present, win over a?
bool WinnerTakesAll::below(float a, float b) const { return (densified_ && a == 0.0f) || a < b; }

// A bin of m of d coordinates, without replacement, has the winner i in both vectors if i is in it and the others are
// among the m_i that lose to i in both: sum_i m/d C(m_i, m-1) / C(d-1, m-1), exact without ties. Densified: over the
// bins that are not empty in both; of a bin that is empty in one of them alone, that one borrows a place, and the
// places agree with chance 1/m.
double WinnerTakesAll::collision_probability(const float* a, const float* b) const {
    const Index d = width(), m = bin_size_;
    const auto present = [&](float v) { return !densified_ || v != 0.0f; };
    double same = 0;
    Index none_a = 0, none_b = 0, none = 0;
    for (Index i = 0; i < d; ++i) {
        none_a += !present(a[i]);
        none_b += !present(b[i]);
        none += !present(a[i]) && !present(b[i]);
        if (!present(a[i]) || !present(b[i])) continue;
        Index losers = 0;
        for (Index j = 0; j < d; ++j) losers += j != i && below(a[j], a[i]) && below(b[j], b[i]);
        same += chance_of_all(losers, d - 1, m - 1) * static_cast<double>(m) / static_cast<double>(d);
    }
    const double empty = chance_of_all(none, d, m);
    if (empty == 1.0) return 1.0;
    const double one_empty = chance_of_all(none_a, d, m) + chance_of_all(none_b, d, m) - 2 * empty;
    return (same + one_empty / static_cast<double>(m)) / (1.0 - empty);
}

}  // namespace hashslide
