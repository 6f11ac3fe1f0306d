#include "inference/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "base/parallel.h"
#include "base/scratch.h"
#include "simd/kernels.h"
#include "sparse/csr_input.h"

namespace hashslide {
namespace {

constexpr Index label_block = 256;  // labels of one product
constexpr Index row_block = 128;    // rows that share one pass over all weights

// z = (h . w + b) + offset (+ margin), added up in this order everywhere: so a label has the same score, bit for bit,
// however it was found and whatever rows come with its own.
std::vector<float> hidden(const Model& model, const CsrView& x, Index first, Index n, int n_threads) {
    std::vector<float> h(n * model.width());
    model.hidden.predict(x, first, n, h.data(), n_threads);
    return h;
}

// Offers the labels first .. first + n with the scores z. Most blocks hold nothing above the k-th best and cost one
// vectorised maximum. excluded: labels among them that are not offered, ascending.
void scan(Index first, Index n, const float* z, std::span<const Id> excluded, BestK& best) {
    if (best.full() && kernels().maximum(n, z) < best.worst().score) return;
    for (Index j = 0; j < n; ++j) {
        const Id label = static_cast<Id>(first + j);
        if (!std::ranges::binary_search(excluded, label)) best.offer({z[j], label});
    }
}

// The scores of the labels first .. last - 1 of n examples, z (n, last - first).
void score_block(const OutputLayer& output, const Ranker& ranker, const float* h, Index n, Index first, Index last,
                 float* z) {
    const Index size = last - first;
    output.weight.view().from(first).products(n, h, nullptr, size, z, size);
    for (Index i = 0; i < n; ++i) {
        kernels().axpy(size, 1.0f, output.bias.data() + first, z + i * size);
        if (ranker.enabled()) kernels().axpy(size, 1.0f, ranker.offset.data() + first, z + i * size);
    }
}

// Scores every label. Workers take lanes of the labels; each lane keeps its own best, merged at the end. The number of
// lanes bounds the memory.
void best_of_all(const OutputLayer& output, const Ranker& ranker, const float* h, Index n, const CsrView& excluded,
                 Index first_row, Index k, std::vector<Hit>* best, int n_threads) {
    constexpr Index max_lanes = 64;
    const Index n_labels = output.n_labels(), n_blocks = (n_labels + label_block - 1) / label_block;
    const Index n_lanes = std::min(max_lanes, n_blocks);
    std::vector<BestK> of_lane(n_lanes * n, BestK(k));
    parallel_for(n_threads, 0, n_lanes, 1, [&](Index lane, Index) {
        float* z = scratch(n * label_block);
        for (Index block = lane; block < n_blocks; block += n_lanes) {
            poll();
            const Index first = block * label_block, last = std::min(n_labels, first + label_block);
            score_block(output, ranker, h, n, first, last, z);
            for (Index i = 0; i < n; ++i)
                scan(first, last - first, z + i * (last - first), between(excluded.ids(first_row + i), first, last),
                     of_lane[lane * n + i]);
        }
    });
    for (Index i = 0; i < n; ++i) {
        BestK all(k);
        for (Index lane = 0; lane < n_lanes; ++lane) all.offer(of_lane[lane * n + i].hits());
        best[i] = std::move(all).sorted();
    }
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

void best_neurons(const OutputLayer& output, const float* h, Index n, Index k, std::vector<Hit>* best, int n_threads) {
    const Ranker none;
    CsrRows excluded;
    excluded.assign_pattern(nullptr, 0, n);
    for (Index row = 0; row < n; row += row_block)
        best_of_all(output, none, h + row * output.width(), std::min(row_block, n - row), excluded.view(), row, k,
                    best + row, n_threads);
}

void write_hits(std::span<const Hit> hits, Index k, std::int64_t* labels, float* scores) {
    for (Index j = 0; j < k; ++j) {
        const bool is_hit = j < std::ssize(hits);
        labels[j] = is_hit ? hits[j].label : -1;
        scores[j] = is_hit ? hits[j].score : -std::numeric_limits<float>::infinity();
    }
}

void exact_topk(const Model& model, const Screen* screen, const CsrView& x, const CsrView& excluded, Index k,
                std::int64_t* labels, float* scores, int n_threads) {
    const std::vector<float> h = hidden(model, x, 0, x.n_rows, n_threads);
    const Index needed = model.ranker.needed(k);
    std::vector<std::vector<Hit>> best(x.n_rows);
    if (!screen || !screen->topk(model, h.data(), x.n_rows, excluded, needed, best.data(), n_threads))
        for (Index row = 0; row < x.n_rows; row += row_block)
            best_of_all(model.output, model.ranker, h.data() + row * model.width(),
                        std::min(row_block, x.n_rows - row), excluded, row, needed, best.data() + row, n_threads);
    parallel_for(n_threads, 0, x.n_rows, 16, [&](Index first, Index last) {
        for (Index row = first; row < last; ++row) {
            model.ranker.rank(x.ids(row), x.values(row), best[row]);
            write_hits(best[row], k, labels + row * k, scores + row * k);
        }
    });
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
