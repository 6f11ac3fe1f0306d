#include "families/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "base/best_k.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index sample_per_cell = 64;
constexpr int iterations = 4;      // that move the centres
constexpr int balancing = 8;       // more that only balance, on the first quarter of the sample
constexpr Index largest_cell = 3;  // times the mean
constexpr Index most_rows = 128;   // of one product with all centres

}  // namespace

KMeansCells::KMeansCells(Index n_cells, Index width, Index n_tables, std::uint64_t seed)
    : HashFamily(width, n_tables, n_cells),
      seed_(seed),
      centres_(n_tables * n_cells * width),
      penalties_(n_tables * n_cells),
      offsets_(n_tables * n_cells) {}

Index KMeansCells::block() const { return at_once(most_rows, width_); }

void KMeansCells::learn(const VectorSource& neurons, int n_threads) {
    std::fill(penalties_.begin(), penalties_.end(), 0.0f);
    for (Index t = 0; t < n_tables_; ++t) {
        const CounterRng rng(seed_, Stream::cells,
                             round_ * static_cast<std::uint64_t>(n_tables_) + static_cast<std::uint64_t>(t));
        Assignment sample;
        sample.ids = draw_sample(neurons.n(), rng);
        sample.resize(sample.ids.size());
        sample.cells = first_centres(neurons, sample.ids, rng, n_threads);
        move_centres(neurons, t, sample, n_threads);
        for (int i = 0; i < iterations; ++i) {
            assign(neurons, t, sample, n_threads);
            move_centres(neurons, t, sample, n_threads);
            balance(t, sample);
        }
        sample.resize((sample.ids.size() + 3) / 4);
        for (int i = 0; i < balancing; ++i) {
            assign(neurons, t, sample, n_threads);
            balance(t, sample);
        }
    }
}

// Of the assignments: all of the sample in every round that moves the centres, a quarter in those that only balance.
double KMeansCells::learning_multiplications(Index n) const {
    constexpr double rounds = iterations + balancing / 4.0;
    return rounds * static_cast<double>(std::min(n, sample_per_cell * n_buckets_)) * multiplications(width_);
}

// A random sample without replacement in random order: the beginning of a Fisher-Yates shuffle of 0 .. n - 1, of which
// only the places that have been swapped are kept.
std::vector<Id> KMeansCells::draw_sample(Index n, const CounterRng& rng) const {
    std::vector<Id> ids(std::min(n, sample_per_cell * n_buckets_));
    std::unordered_map<Index, Id> swapped;
    const auto at = [&](Index i) {
        const auto found = swapped.find(i);
        return found == swapped.end() ? static_cast<Id>(i) : found->second;
    };
    for (Index i = 0; i < static_cast<Index>(ids.size()); ++i) {
        const Index other = i + rng.below(static_cast<std::uint64_t>(i), n - i);
        ids[i] = at(other);
        swapped[other] = at(i);
    }
    return ids;
}

// Cells of the sample in which n_buckets neurons are alone and all others in none (-1). Weighted sampling without
// replacement takes the smallest -log(u) / weight (Efraimidis & Spirakis 2006).
std::vector<Id> KMeansCells::first_centres(const VectorSource& neurons, const std::vector<Id>& ids,
                                           const CounterRng& rng, int n_threads) const {
    const Index n = static_cast<Index>(ids.size());
    std::vector<double> keys(n);
    parallel_for(n_threads, 0, n, block(), [&](Index first, Index last) {
        float* rows = scratch<0>((last - first) * width_);
        neurons.read(ids.data() + first, last - first, rows);
        for (Index i = first; i < last; ++i) keys[i] = kernels().sum_of_squares(width_, rows + (i - first) * width_);
    });
    const double mean = std::accumulate(keys.begin(), keys.end(), 0.0) / static_cast<double>(n);
    for (Index i = 0; i < n; ++i) {
        const double u = 1.0 - rng.uniform(static_cast<std::uint64_t>(neurons.n() + i));
        keys[i] = ordered(-std::log(u) / (mean + keys[i]));
    }
    std::vector<Id> order(n), cells(n, -1);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [&](Id a, Id b) { return std::pair(keys[a], a) < std::pair(keys[b], b); });
    for (Index c = 0; c < std::min(n, n_buckets_); ++c) cells[order[c]] = static_cast<Id>(c);
    return cells;
}

void KMeansCells::assign(const VectorSource& neurons, Index table, Assignment& sample, int n_threads) const {
    parallel_for(n_threads, 0, static_cast<Index>(sample.ids.size()), block(), [&](Index first, Index last) {
        float* rows = scratch<0>((last - first) * width_);
        neurons.read(sample.ids.data() + first, last - first, rows);
        const float* z = scores(Vectors::dense(rows, last - first, width_), table);
        for (Index i = first; i < last; ++i) {
            const Nearest found = nearest(z + (i - first) * n_buckets_, table);
            sample.cells[i] = found.cell;
            sample.margins[i] = ordered(found.margin);
        }
    });
}

// Each centre becomes the mean of its neurons; a cell without neurons keeps its centre.
void KMeansCells::move_centres(const VectorSource& neurons, Index table, const Assignment& sample, int n_threads) {
    std::vector<std::vector<Id>> members(n_buckets_);
    for (std::size_t i = 0; i < sample.ids.size(); ++i)
        if (sample.cells[i] >= 0) members[sample.cells[i]].push_back(sample.ids[i]);
    parallel_for(n_threads, 0, n_buckets_, 16, [&](Index first, Index last) {
        for (Index c = first; c < last; ++c) {
            const Index size = static_cast<Index>(members[c].size());
            float* centre = centres_.data() + (table * n_buckets_ + c) * width_;
            if (size > 0) std::fill_n(centre, width_, 0.0f);
            for (Index begin = 0; begin < size; begin += block()) {
                const Index n = std::min(block(), size - begin);
                float* rows = scratch<0>(n * width_);
                neurons.read(members[c].data() + begin, n, rows);
                for (Index i = 0; i < n; ++i)
                    kernels().axpy(width_, 1.0f / static_cast<float>(size), rows + i * width_, centre);
            }
        }
    });
    update_offsets();
}

// Raises the penalty of each cell that is too large until its surplus, the neurons with the smallest margins, would
// leave it: half way between the margins of the last one that leaves and the first one that stays.
void KMeansCells::balance(Index table, const Assignment& sample) {
    const std::size_t limit = std::max<std::size_t>(1, largest_cell * sample.ids.size() / n_buckets_);
    std::vector<std::vector<float>> margins(n_buckets_);
    for (std::size_t i = 0; i < sample.ids.size(); ++i) margins[sample.cells[i]].push_back(sample.margins[i]);
    for (Index c = 0; c < n_buckets_; ++c) {
        if (margins[c].size() <= limit) continue;
        const auto stays = margins[c].begin() + static_cast<std::ptrdiff_t>(margins[c].size() - limit);
        std::nth_element(margins[c].begin(), stays, margins[c].end());
        const float leaves = *std::max_element(margins[c].begin(), stays);
        penalties_[table * n_buckets_ + c] += 0.5f * (leaves + *stays);
    }
    update_offsets();
}

void KMeansCells::update_offsets() {
    for (std::size_t c = 0; c < offsets_.size(); ++c)
        offsets_[c] = 0.5f * kernels().sum_of_squares(width_, centres_.data() + c * width_) + penalties_[c];
}

// (n, cells) products of the vectors with the centres of one table.
const float* KMeansCells::scores(const Vectors& vectors, Index table) const {
    float* z = scratch<1>(vectors.n * n_buckets_);
    const WeightView centres{centres_.data() + table * n_buckets_ * width_, nullptr, width_};
    products(vectors, centres, nullptr, n_buckets_, z, n_buckets_);
    return z;
}

KMeansCells::Nearest KMeansCells::nearest(const float* scores, Index table) const {
    constexpr float least = std::numeric_limits<float>::lowest();
    const float* offsets = offsets_.data() + table * n_buckets_;
    Id cell = 0;
    float best = least, second = least;
    for (Index c = 0; c < n_buckets_; ++c) {
        const float z = scores[c] - offsets[c];
        if (z > best) {
            second = std::exchange(best, z);
            cell = static_cast<Id>(c);
        } else if (z > second) {
            second = z;
        }
    }
    return {cell, n_buckets_ > 1 ? best - second : 0.0f};
}

void KMeansCells::hash(const Vectors& vectors, Id* buckets) const {
    for (Index first = 0; first < vectors.n; first += block()) {
        const Index size = std::min(block(), vectors.n - first);
        for (Index t = 0; t < n_tables_; ++t) {
            const float* z = scores(vectors.part(first, first + size), t);
            for (Index i = 0; i < size; ++i) buckets[(first + i) * n_tables_ + t] = nearest(z + i * n_buckets_, t).cell;
        }
    }
}

void KMeansCells::probe(const Vectors& queries, Index probes, Id* buckets) const {
    std::vector<Id> order(n_buckets_);
    const Index cells = std::min(probes, n_buckets_);
    std::fill_n(buckets, queries.n * n_tables_ * probes, -1);
    for (Index first = 0; first < queries.n; first += block()) {
        const Index size = std::min(block(), queries.n - first);
        for (Index t = 0; t < n_tables_; ++t) {
            const float* scored = scores(queries.part(first, first + size), t);
            for (Index i = 0; i < size; ++i) {
                const float* z = scored + i * n_buckets_;
                std::iota(order.begin(), order.end(), 0);
                std::partial_sort(order.begin(), order.begin() + cells, order.end(),
                                  [z](Id a, Id b) { return ranked(z[a], a) < ranked(z[b], b); });
                std::copy_n(order.begin(), cells, buckets + ((first + i) * n_tables_ + t) * probes);
            }
        }
    }
}

void KMeansCells::follow(const float* vectors, Index n, const Id* buckets, const Index* sizes) {
    for (Index i = 0; i < n; ++i)
        for (Index t = 0; t < n_tables_; ++t) {
            if (buckets[i * n_tables_ + t] < 0) continue;
            const Index c = t * n_buckets_ + buckets[i * n_tables_ + t];
            const float share = 1.0f / static_cast<float>(std::max<Index>(1, sizes[c]));
            kernels().scale(width_, 1.0f - share, centres_.data() + c * width_);
            kernels().axpy(width_, share, vectors + i * width_, centres_.data() + c * width_);
        }
    update_offsets();
}

void KMeansCells::restore(const State& state) {
    const auto& centres = array_of<float>(state, "centres");
    const auto& penalties = array_of<float>(state, "penalties");
    if (centres.size() != centres_.size() || penalties.size() != penalties_.size())
        throw std::invalid_argument("centres of another number of cells");
    centres_ = centres;
    penalties_ = penalties;
    update_offsets();
}

}  // namespace hashslide
