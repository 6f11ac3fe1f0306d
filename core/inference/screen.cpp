#include "inference/screen.h"

#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index chunk_rows = 4096;
constexpr Index block_rows = 64;

float largest_magnitude(Index n, const float* x) {
    float largest = 0;
    for (Index i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
    return largest;
}

// x = scale q + e with |q| <= limit; returns scale and |e|.
template <class T>
std::pair<float, float> quantise_row(Index n, const float* x, float limit, T* q) {
    const float largest = largest_magnitude(n, x);
    const float scale = largest / limit, inverse = largest > 0 ? limit / largest : 0.0f;
    double error = 0;
    for (Index i = 0; i < n; ++i) {
        q[i] = static_cast<T>(std::lrint(x[i] * inverse));
        const double e = static_cast<double>(x[i]) - static_cast<double>(scale) * q[i];
        error += e * e;
    }
    return {scale, static_cast<float>(std::sqrt(error))};
}

}  // namespace

// The example: 16-bit values small enough that a product with a row fits 32 bits.
struct Screen::Query {
    std::vector<std::int16_t> values;
    float scale, norm, error;
};

// What one piece of the labels leaves: the k best lower bounds and whatever may beat them.
struct Screen::Chunk {
    struct Candidate {
        float upper, extra;
        Id label;
    };
    BestK lower;
    std::vector<Candidate> candidates;
    bool bounded = true;  // false: an overflow, so the bounds mean nothing
};

Screen::Screen(const OutputLayer& output, int n_threads)
    : n_labels_(output.n_labels()), hidden_(output.width()), quantised_(n_labels_ * hidden_), rows_(n_labels_) {
    parallel_for(n_threads, 0, n_labels_, chunk_rows, [&](Index first, Index last) {
        for (Index label = first; label < last; ++label) {
            const float* w = output.weight.view().row(label, scratch(hidden_));
            const auto [scale, error] = quantise_row(hidden_, w, 127.0f, quantised_.data() + label * hidden_);
            rows_[label] = {scale, output.bias[label], std::sqrt(kernels().sum_of_squares(hidden_, w)), error};
        }
    });
}

Screen::Query Screen::quantise(const float* h) const {
    Query query{std::vector<std::int16_t>(hidden_), 0, std::sqrt(kernels().sum_of_squares(hidden_, h)), 0};
    const float limit = std::floor(std::min(32767.0f, 2147483000.0f / (127.0f * static_cast<float>(hidden_))));
    std::tie(query.scale, query.error) = quantise_row(hidden_, h, limit, query.values.data());
    return query;
}

Screen::Chunk Screen::screen_chunk(const Query& query, Index first, Index last, const float* extra,
                                   std::span<const Id> excluded, Index k) const {
    constexpr float none = -std::numeric_limits<float>::infinity();
    const Kernels& kernel = kernels();
    const float rounding = rounding_error(hidden_);
    constexpr float lost = 1e-12f;  // vectors shorter than 1e-19 have squares of 0
    Chunk chunk{BestK(k), {}, true};
    std::int32_t dots[block_rows];
    float upper[block_rows], margin[block_rows];
    for (Index block = first; block < last; block += block_rows) {
        const Index n = std::min(block_rows, last - block);
        kernel.dots_int8(n, hidden_, quantised_.data() + block * hidden_, query.values.data(), dots);
        for (Index i = 0; i < n; ++i) {
            const Row& row = rows_[block + i];
            margin[i] = query.norm * row.error + query.error * (row.norm + row.error) +
                        rounding * ((query.norm + lost) * (row.norm + lost) + lost + std::abs(row.bias) +
                                    std::abs(extra[block - first + i]));
            upper[i] =
                query.scale * static_cast<float>(dots[i]) * row.scale + row.bias + extra[block - first + i] + margin[i];
            chunk.bounded &= std::isfinite(upper[i]) && std::isfinite(margin[i]);
        }
        if (!chunk.bounded) return chunk;
        for (const Id label : between(excluded, block, block + n)) upper[label - block] = none;
        if (chunk.lower.full() && kernel.maximum(n, upper) < chunk.lower.worst().score) continue;
        for (Index i = 0; i < n; ++i) {
            if (upper[i] == none) continue;
            const Id label = static_cast<Id>(block + i);
            chunk.lower.offer({upper[i] - 2.0f * margin[i], label});
            if (!chunk.lower.full() || upper[i] >= chunk.lower.worst().score)
                chunk.candidates.push_back({upper[i], extra[block - first + i], label});
        }
    }
    return chunk;
}

std::vector<Hit> Screen::topk(const Model& model, const float* h, std::span<const Id> excluded, Index k,
                              int n_threads) const {
    const Query query = quantise(h);
    const Index n_chunks = (n_labels_ + chunk_rows - 1) / chunk_rows;
    const std::vector<float> zeros(std::min(chunk_rows, n_labels_));
    std::vector<Chunk> chunks(n_chunks, Chunk{BestK(k), {}, true});
    parallel_for(n_threads, 0, n_labels_, chunk_rows, [&](Index first, Index last) {
        const float* extra = model.ranker.offsets(first, zeros);
        chunks[first / chunk_rows] = screen_chunk(query, first, last, extra, excluded, k);
    });

    BestK lower(k), best(k);
    for (const Chunk& chunk : chunks) {
        if (!chunk.bounded) return {};
        lower.offer(chunk.lower.hits());
    }
    for (const Chunk& chunk : chunks) {
        for (const auto& [upper, extra, label] : chunk.candidates) {
            if (lower.full() && upper < lower.worst().score) continue;
            best.offer({model.output.logit(label, h) + extra, label});
        }
    }
    return std::move(best).sorted();
}

}  // namespace hashslide
