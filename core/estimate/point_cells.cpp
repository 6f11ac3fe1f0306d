#include "estimate/point_cells.h"

#include <algorithm>
#include <numeric>

#include "base/parallel.h"
#include "base/rng.h"
#include "base/scratch.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index block = 256;  // points of one product with all centres
constexpr Index points_of_a_cell = 32, iterations = 6;

// The centre that is nearest to each point: that of the largest x . c - |c|^2 / 2.
void assign(const float* points, Index n, Index width, const std::vector<float>& centres, Id* nearest, int n_threads) {
    const Index cells = static_cast<Index>(centres.size()) / width;
    std::vector<float> halves(cells);
    for (Index c = 0; c < cells; ++c) halves[c] = 0.5f * kernels().sum_of_squares(width, &centres[c * width]);
    parallel_for(n_threads, 0, n, block, [&](Index first, Index last) {
        float* products = scratch(block * cells);
        gemm_nt(last - first, cells, width, points + first * width, width, centres.data(), width, 0.0f, products,
                cells);
        for (Index i = first; i < last; ++i, products += cells) {
            Id best = 0;
            for (Index c = 1; c < cells; ++c)
                if (products[c] - halves[c] > products[best] - halves[best]) best = static_cast<Id>(c);
            nearest[i] = best;
        }
    });
}

// Each centre becomes the mean of its points; one without points stays.
void move(const float* points, Index n, Index width, const std::vector<Id>& nearest, std::vector<float>& centres) {
    std::vector<double> sums(centres.size());
    std::vector<Index> sizes(centres.size() / width);
    for (Index i = 0; i < n; ++i) {
        ++sizes[nearest[i]];
        for (Index j = 0; j < width; ++j) sums[nearest[i] * width + j] += points[i * width + j];
    }
    for (Index i = 0; i < static_cast<Index>(sums.size()); ++i)
        if (const Index size = sizes[i / width]) centres[i] = static_cast<float>(sums[i] / static_cast<double>(size));
}

}  // namespace

std::vector<Id> nearest_cells(const float* points, Index n, Index width, Index cells, std::uint64_t seed,
                              int n_threads) {
    const CounterRng rng(seed, Stream::estimate, 0);
    // One point of each of as many equal stretches, in random order: the first ones are the first centres.
    const Index sampled = std::min(n, cells * points_of_a_cell);
    std::vector<Index> chosen(sampled);
    for (Index i = 0; i < sampled; ++i) {
        const Index first = i * n / sampled, last = (i + 1) * n / sampled;
        chosen[i] = first + rng.below(i, last - first);
    }
    for (Index i = sampled - 1; i > 0; --i) std::swap(chosen[i], chosen[rng.below(n + i, i + 1)]);
    std::vector<float> sample(sampled * width);
    for (Index i = 0; i < sampled; ++i) std::copy_n(points + chosen[i] * width, width, &sample[i * width]);
    std::vector<float> centres(sample.begin(), sample.begin() + cells * width);
    std::vector<Id> nearest(sampled);
    for (Index i = 0; i < iterations; ++i) {
        assign(sample.data(), sampled, width, centres, nearest.data(), n_threads);
        move(sample.data(), sampled, width, nearest, centres);
    }
    nearest.resize(n);
    assign(points, n, width, centres, nearest.data(), n_threads);
    return nearest;
}

CellSummary summarise(const float* points, Index width, const Index* begin, Index cells, int n_threads) {
    CellSummary out{std::vector<float>(cells * width), std::vector<float>(cells), 1.0};
    std::vector<double> traces(cells), squares(cells);  // n (tr S)^2 and n tr S^2
    parallel_for(n_threads, 0, cells, 16, [&](Index first, Index last) {
        std::vector<double> mean(width);
        std::vector<float> before(width), now(width);
        for (Index c = first; c < last; ++c) {
            std::ranges::fill(mean, 0.0);
            const Index size = begin[c + 1] - begin[c];
            const double share = 1.0 / static_cast<double>(std::max<Index>(1, size));
            for (Index i = begin[c]; i < begin[c + 1]; ++i)
                for (Index j = 0; j < width; ++j) mean[j] += share * points[i * width + j];
            std::ranges::copy(mean, out.centres.begin() + c * width);
            double spread = 0, products = 0;
            for (Index i = begin[c]; i < begin[c + 1]; ++i) {
                now.swap(before);
                for (Index j = 0; j < width; ++j) now[j] = points[i * width + j] - out.centres[c * width + j];
                spread += share * kernels().sum_of_squares(width, now.data());
                if (i == begin[c]) continue;
                const double product = kernels().dot(width, before.data(), now.data());
                products += product * product;
            }
            out.spreads[c] = static_cast<float>(spread);
            if (size > 1) {
                traces[c] = static_cast<double>(size) * spread * spread;
                squares[c] = products * static_cast<double>(size) / static_cast<double>(size - 1);
            }
        }
    });
    const double trace = std::accumulate(traces.begin(), traces.end(), 0.0);
    const double square = std::accumulate(squares.begin(), squares.end(), 0.0);
    if (square > 0) out.dimension = std::clamp(trace / square, 1.0, static_cast<double>(width));
    return out;
}

}  // namespace hashslide
