#include "inference/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index example_block = 128;  // examples that share one pass over the weights
constexpr Index label_block = 256;    // labels of one product
constexpr Index range_blocks = 16;    // blocks of one piece of work
constexpr Index scan_block = 64;      // logits compared with the threshold at once

float norm(Index n, const float* x) { return std::sqrt(kernels().sum_of_squares(n, x)); }

// z = (h . w + b) + offset (+ margin), added up in this order everywhere: so a label has the same score, bit for bit,
// however it was found and whatever rows come with its own.
std::vector<float> hidden(const Model& model, const CsrView& x, Index first, Index n, int n_threads) {
    std::vector<float> h(n * model.width());
    model.hidden.predict(x, first, n, h.data(), n_threads);
    return h;
}

// h W^T + b of the labels first .. last for n examples; z: rows of last - first floats. Block by block, so that the
// rows of the weights are read once for all examples. Returns max |w| + max |b|.
float approximate_logits(const OutputLayer& output, Index n, const float* h, Index first, Index last, float* z) {
    const Index width = output.width(), ldz = last - first;
    float largest_square = 0, largest_bias = 0;
    for (Index block = first; block < last; block += label_block) {
        const Index end = std::min(last, block + label_block);
        float* out = z + block - first;
        for (Index i = 0; i < n; ++i) std::copy(output.bias.data() + block, output.bias.data() + end, out + i * ldz);
        const float* rows = output.weight.view().rows(block, end - block, scratch<1>(label_block * width));
        gemm_nt(n, end - block, width, h, width, rows, width, 1.0f, out, ldz);
        for (Index label = block; label < end; ++label) {
            largest_square = std::max(largest_square, kernels().sum_of_squares(width, rows + (label - block) * width));
            largest_bias = std::max(largest_bias, std::abs(output.bias[label]));
        }
    }
    constexpr float lost = 1e-12f;  // vectors shorter than 1e-19 have squares of 0
    return std::sqrt(largest_square) + largest_bias + lost;
}

// Offers the labels first .. first + n, whose logits are z but for rounding errors of at most `slack` and for `extra`,
// their offsets. Most blocks hold nothing above the k-th best and cost one vectorised maximum. excluded: labels among
// them that are not offered, ascending; their logits become -infinity.
void scan(const OutputLayer& output, const float* h, Index first, Index n, float* z, const float* extra, float slack,
          std::span<const Id> excluded, BestK& best) {
    constexpr float none = -std::numeric_limits<float>::infinity();
    for (const Id label : excluded) z[label - first] = none;
    const auto is_excluded = [&](Index j) {
        return z[j] == none && std::ranges::binary_search(excluded, static_cast<Id>(first + j));
    };
    for (Index i = 0; i < n; i += scan_block) {
        const Index end = std::min(n, i + scan_block);
        if (best.full() && kernels().maximum(end - i, z + i) < best.worst().score - slack) continue;
        for (Index j = i; j < end; ++j)
            if ((!best.full() || !(z[j] < best.worst().score - slack)) && !is_excluded(j))
                best.offer({output.logit(first + j, h) + extra[j], static_cast<Id>(first + j)});
    }
}

// Workers take ranges of labels; each lane of ranges keeps its own best, merged at the end. The number of lanes bounds
// the memory. A product of matrices only chooses whose score is worth computing: its sums depend on the other rows.
void topk_of_block(const Model& model, const CsrView& x, const CsrView& excluded, Index first_row, Index n, Index k,
                   std::int64_t* labels, float* scores, int n_threads) {
    constexpr Index max_lanes = 64, range = label_block * range_blocks;
    const OutputLayer& output = model.output;
    const Index n_labels = output.n_labels(), n_ranges = (n_labels + range - 1) / range, width = output.width();
    const Index n_lanes = std::min(max_lanes, n_ranges);
    const std::vector<float> h = hidden(model, x, first_row, n, n_threads);
    const Ranker& ranker = model.ranker;
    const Index needed = ranker.needed(k);
    const std::vector<float> zeros(std::min(range, n_labels));
    std::vector<BestK> best(n_lanes * n, BestK(needed));
    parallel_for(n_threads, 0, n_lanes, 1, [&](Index lane, Index) {
        float* z = scratch<0>(n * std::min(range, n_labels));
        for (Index r = lane; r < n_ranges; r += n_lanes) {
            poll();
            const Index first = r * range, last = std::min(n_labels, first + range), size = last - first;
            const float largest = approximate_logits(output, n, h.data(), first, last, z);
            const float* extra = ranker.offsets(first, zeros);
            const float largest_extra = norm(size, extra);
            for (Index i = 0; i < n; ++i) {
                float* row = z + i * size;
                const float* activations = h.data() + i * width;
                if (ranker.enabled()) kernels().axpy(size, 1.0f, extra, row);
                const float error =
                    rounding_error(width) * (largest * std::max(1.0f, norm(width, activations)) + largest_extra);
                const std::span<const Id> left_out = between(excluded.ids(first_row + i), first, last);
                scan(output, activations, first, size, row, extra, error, left_out, best[lane * n + i]);
            }
        }
    });
    parallel_for(n_threads, 0, n, 16, [&](Index a, Index b) {
        for (Index i = a; i < b; ++i) {
            BestK all(needed);
            for (Index lane = 0; lane < n_lanes; ++lane) all.offer(best[lane * n + i].hits());
            std::vector<Hit> hits = std::move(all).sorted();
            ranker.rank(x.ids(first_row + i), x.values(first_row + i), hits);
            write_hits(hits, k, labels + (first_row + i) * k, scores + (first_row + i) * k);
        }
    });
}

// Adds the margins to the logits of the labels that get one.
void add_margins(const Ranker& ranker, const CsrView& x, Index row, Index n_labels, float* z) {
    if (!ranker.enabled()) return;
    BestK best(std::min(Ranker::ranked, n_labels));
    for (Index label = 0; label < n_labels; ++label) best.offer({z[label], static_cast<Id>(label)});
    std::vector<Hit> hits = std::move(best).sorted();
    ranker.rank(x.ids(row), x.values(row), hits);
    for (const Hit& hit : hits) z[hit.label] = hit.score;
}

}  // namespace

void write_hits(std::span<const Hit> hits, Index k, std::int64_t* labels, float* scores) {
    for (Index j = 0; j < k; ++j) {
        const bool is_hit = j < std::ssize(hits);
        labels[j] = is_hit ? hits[j].label : -1;
        scores[j] = is_hit ? hits[j].score : -std::numeric_limits<float>::infinity();
    }
}

void blocked_topk(const Model& model, const CsrView& x, const CsrView& excluded, Index k, std::int64_t* labels,
                  float* scores, int n_threads) {
    // Where all labels are one range, there is nothing to share in a block: threads take a block each.
    const bool is_one_range = model.n_labels() <= label_block * range_blocks;
    const int threads_of_block = is_one_range ? 1 : n_threads;
    parallel_for(is_one_range ? n_threads : 1, 0, x.n_rows, example_block, [&](Index first, Index last) {
        topk_of_block(model, x, excluded, first, last - first, k, labels, scores, threads_of_block);
    });
}

void screened_topk(const Model& model, const Screen& screen, const CsrView& x, const CsrView& excluded, Index k,
                   std::int64_t* labels, float* scores, int n_threads) {
    std::vector<float> h(model.width());
    for (Index row = 0; row < x.n_rows; ++row) {
        model.hidden.predict(x, row, 1, h.data(), n_threads);
        const Index needed = model.ranker.needed(k);
        std::vector<Hit> hits = screen.topk(model, h.data(), excluded.ids(row), needed, n_threads);
        if (hits.empty()) {
            topk_of_block(model, x, excluded, row, 1, k, labels, scores, n_threads);
            continue;
        }
        model.ranker.rank(x.ids(row), x.values(row), hits);
        write_hits(hits, k, labels + row * k, scores + row * k);
    }
}

void all_logits(const Model& model, const CsrView& x, float* logits, int n_threads) {
    constexpr Index rows = 64;
    const OutputLayer& output = model.output;
    const Index n_labels = model.n_labels();
    parallel_for(n_threads, 0, x.n_rows, rows, [&](Index begin, Index end) {
        const std::vector<float> h = hidden(model, x, begin, end - begin, 1);
        float* z = scratch(rows * label_block);
        for (Index i = begin; i < end; ++i)
            for (Index label = 0; label < n_labels; ++label)
                logits[i * n_labels + label] = model.ranker.offset_of(static_cast<Id>(label));
        for (Index first = 0; first < n_labels; first += label_block) {
            poll();
            const Index n = std::min(label_block, n_labels - first);
            output.weight.view().from(first).products(end - begin, h.data(), nullptr, n, z, n);
            for (Index i = begin; i < end; ++i) {
                float* row = z + (i - begin) * n;
                kernels().axpy(n, 1.0f, output.bias.data() + first, row);
                kernels().axpy(n, 1.0f, row, logits + i * n_labels + first);
            }
        }
        for (Index i = begin; i < end; ++i) add_margins(model.ranker, x, i, n_labels, logits + i * n_labels);
    });
}

}  // namespace hashslide
