#include "inference/screen.h"

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"
#include "simd/packing.h"

namespace hashslide {
namespace {

constexpr Index query_block = 48;    // examples that share one pass over the weights
constexpr Index step_panels = 8;     // panels of one product
constexpr Index piece_panels = 256;  // at least so many in one piece of work
// Products of lengths below it, and their sums, are far from an overflow.
constexpr float unbounded = 1e15f;

// Vectors shorter than 1e-19 have squares of 0.
float padded_length(float length) { return length + 1e-12f; }
float length(Index n, const float* x) { return padded_length(std::sqrt(kernels().sum_of_squares(n, x))); }

// Blocks of nearly the same size, of whole tiles.
Index even_block(Index n) {
    constexpr Index tile = 12;
    const Index n_blocks = (n + query_block - 1) / query_block, size = (n + n_blocks - 1) / n_blocks;
    return (size + tile - 1) / tile * tile;
}

// Where there are few blocks for the threads, they share the labels too. Each lane of labels has bounds of its own.
Index n_lanes(Index n_blocks, Index n_panels, int n_threads) {
    if (n_threads == 1) return 1;
    constexpr Index pieces = 4;  // for each thread, so that none waits long for another
    const Index wanted = (pieces * n_threads + n_blocks - 1) / n_blocks;
    return std::clamp(wanted, Index{1}, std::max(Index{1}, n_panels / piece_panels));
}

// The exact scores of labels of an example, as everywhere (topk.cpp).
struct Scorer {
    const Model& model;
    const float* h;
    std::vector<Hit> operator()(std::span<const Id> labels) const {
        const OutputLayer& output = model.output;
        const Index n = std::ssize(labels);
        std::vector<float> z(n);
        output.weight.view().products(1, h, labels.data(), n, z.data(), n);
        std::vector<Hit> hits(n);
        for (Index i = 0; i < n; ++i) {
            const Id label = labels[i];
            hits[i] = {(z[i] + output.bias[label]) + model.ranker.offset_of(label), label};
        }
        return hits;
    }
};

}  // namespace

Screen::Screen(const Model& model, int n_threads)
    : width_(model.width()),
      groups_(groups_of(width_)),
      n_panels_((model.n_labels() + panel_labels - 1) / panel_labels),
      weights_(n_panels_ * panel_bytes()),
      bounds_(n_panels_) {
    const Index n_labels = model.n_labels();
    for (Index label = n_labels; label < n_panels_ * panel_labels; ++label)
        bounds_[label / panel_labels].raised[label % panel_labels] = -std::numeric_limits<float>::infinity();
    constexpr Index piece = piece_panels * panel_labels;
    std::vector<float> largest((n_labels + piece - 1) / piece);
    parallel_for(n_threads, 0, n_labels, piece, [&](Index first, Index last) {
        std::vector<std::int8_t> q(groups_ * group);
        float& longest = largest[first / piece];
        for (Index label = first; label < last; ++label) longest = std::max(longest, set_label(model, label, q.data()));
    });
    is_bounded_ = std::ranges::all_of(largest, [](float length) { return length < unbounded; });
}

// Returns the lengths of its weights and addends; at most `unbounded`, which stands for NaN, too.
float Screen::set_label(const Model& model, Index label, std::int8_t* q) {
    const Index panel = label / panel_labels, i = label % panel_labels;
    const float* w = model.output.weight.view().row(label, scratch(width_));
    const float bias = model.output.bias[label], offset = model.ranker.offset_of(static_cast<Id>(label));
    const auto [scale, error] = kernels().quantise(width_, w, largest_weight, q);
    pack_label(q, groups_, i, weights_.data() + panel * panel_bytes());
    const float rounding = rounding_error(width_), addends = std::abs(bias) + std::abs(offset);
    PanelBounds& bounds = bounds_[panel];
    bounds.scale[i] = scale;
    bounds.norm[i] = length(width_, w) + padded_length(error);
    bounds.error[i] = padded_length(error) + rounding * bounds.norm[i];
    bounds.slack[i] = rounding * addends;
    bounds.raised[i] = bias + offset + bounds.slack[i];
    const float lengths = bounds.norm[i] + addends;
    return lengths < unbounded ? lengths : unbounded;
}

// The examples first .. first + n, with 8-bit values small enough that a product with a row fits 32 bits.
struct Screen::Queries {
    Index first, n;
    const float* h;
    std::vector<std::int8_t> values;   // (groups, n, group)
    std::vector<std::int32_t> starts;  // -byte_offset times the sum of an example's values
    std::vector<QueryBounds> bounds;
    bool is_bounded = true;
};

Screen::Queries Screen::quantise(const float* h, Index first, Index last) const {
    const Index n = last - first, padded = groups_ * group;
    const float limit = std::floor(std::min(largest_query, 2147483000.0f / (255.0f * static_cast<float>(width_))));
    Queries queries{first,
                    n,
                    h + first * width_,
                    std::vector<std::int8_t>(n * padded),
                    std::vector<std::int32_t>(n),
                    std::vector<QueryBounds>(n)};
    std::vector<std::int8_t> values(padded);
    for (Index i = 0; i < n; ++i) {
        const float* row = queries.h + i * width_;
        const auto [scale, error] = kernels().quantise(width_, row, limit, values.data());
        queries.bounds[i] = {scale, length(width_, row), padded_length(error)};
        queries.is_bounded &= queries.bounds[i].norm < unbounded;
        queries.starts[i] = pack_query(values.data(), groups_, i, n, queries.values.data());
    }
    return queries;
}

void Screen::screen_panels(const Model& model, const Queries& queries, const CsrView& excluded, Index first, Index last,
                           Contenders* contenders) const {
    constexpr Index step = step_panels * panel_labels;
    std::int32_t products[query_block * step];
    Id places[step];
    float upper[step];
    for (Index panel = first; panel < last; panel += step_panels) {
        if ((panel - first) % piece_panels == 0) poll();
        const Index n_panels = std::min(step_panels, last - panel);
        kernels().products_int8(queries.n, n_panels, groups_, queries.values.data(), queries.starts.data(),
                                weights_.data() + panel * panel_bytes(), products, step);
        for (Index i = 0; i < queries.n; ++i) {
            const QueryBounds& query = queries.bounds[i];
            const Scorer score{model, queries.h + i * width_};
            const std::span<const Id> left_out = excluded.ids(queries.first + i);
            const Index found = kernels().at_least(n_panels, products + i * step, bounds_.data() + panel, query,
                                                   contenders[i].threshold(), places, upper);
            for (Index j = 0; j < found; ++j) {
                const Id label = static_cast<Id>(panel * panel_labels + places[j]);
                if (std::ranges::binary_search(left_out, label)) continue;
                const float margin = bounds_[label / panel_labels].margin(query, label % panel_labels);
                contenders[i].offer({upper[j], upper[j] - 2.0f * margin, label}, score);
            }
        }
    }
}

bool Screen::topk(const Model& model, const float* h, Index n, const CsrView& excluded, Index k, std::vector<Hit>* best,
                  int n_threads) const {
    if (!is_bounded_) return false;
    const Index block = even_block(n), n_blocks = (n + block - 1) / block;
    std::vector<Queries> queries(n_blocks);
    parallel_for(n_threads, 0, n, block,
                 [&](Index first, Index last) { queries[first / block] = quantise(h, first, last); });
    if (!std::ranges::all_of(queries, &Queries::is_bounded)) return false;

    const Index lanes = n_lanes(n_blocks, n_panels_, n_threads);
    const Index lane_panels = (n_panels_ + lanes - 1) / lanes;
    std::vector<Contenders> contenders(n * lanes, Contenders(k));
    parallel_for(n_threads, 0, n_blocks * lanes, 1, [&](Index task, Index) {
        const Queries& q = queries[task % n_blocks];
        const Index lane = task / n_blocks, first = lane * lane_panels;
        screen_panels(model, q, excluded, first, std::min(n_panels_, first + lane_panels),
                      contenders.data() + lane * n + q.first);
    });
    parallel_for(n_threads, 0, n, 8, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const Scorer score{model, h + i * width_};
            for (Index lane = 1; lane < lanes; ++lane)
                for (const auto& c : contenders[lane * n + i].all()) contenders[i].offer(c, score);
            best[i] = contenders[i].best_hits(score);
        }
    });
    return true;
}

}  // namespace hashslide
