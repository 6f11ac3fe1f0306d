#include "topk.h"

#include <algorithm>
#include <vector>

#include "best_k.h"
#include "gemm.h"
#include "parallel.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index example_block = 256;  // examples that share one pass over the weights
constexpr Index label_block = 256;    // labels of one product
constexpr Index max_ranges = 64;      // pieces of the labels that may run at the same time
constexpr Index scan_block = 64;      // logits compared with the threshold at once

// Offers n logits of consecutive labels. Most blocks hold nothing above the k-th best and cost one vectorised maximum.
void scan(Index first_label, Index n, const float* z, BestK& best) {
    for (Index i = 0; i < n; i += scan_block) {
        const Index end = std::min(n, i + scan_block);
        if (best.full() && kernels().maximum(end - i, z + i) < best.worst().score) continue;
        for (Index j = i; j < end; ++j) best.offer({z[j], static_cast<Id>(first_label + j)});
    }
}

// z (n, last - first) = h W[first:last]^T + b[first:last]
void score_block(const OutputLayer& output, Index hidden, const float* h, Index n, Index first, Index last, float* z, Index ldz) {
    for (Index i = 0; i < n; ++i) std::copy(output.bias.data() + first, output.bias.data() + last, z + i * ldz);
    gemm_nt(n, last - first, hidden, h, hidden, output.weight.data() + first * hidden, hidden, 1.0f, z, ldz);
}

void write_hits(const std::vector<Hit>& hits, std::int64_t* labels, float* scores) {
    for (std::size_t j = 0; j < hits.size(); ++j) {
        labels[j] = hits[j].label;
        scores[j] = hits[j].score;
    }
}

void topk_of_block(const InputLayer& input, const OutputLayer& output, const CsrView& x, Index first_row, Index n, Index k,
                   std::int64_t* labels, float* scores, int n_threads) {
    const Index hidden = input.hidden(), n_labels = output.n_labels();
    std::vector<float> h(n * hidden);
    parallel_for(n_threads, 0, n, 16,
                 [&](Index a, Index b) { input.forward(x, first_row + a, b - a, h.data() + a * hidden); });

    const Index n_blocks = (n_labels + label_block - 1) / label_block;
    const Index n_ranges = std::min(max_ranges, n_blocks);
    std::vector<BestK> best(n_ranges * n, BestK(k));
    parallel_for(n_threads, 0, n_ranges, 1, [&](Index range, Index) {
        std::vector<float> z(n * label_block);
        for (Index block = range * n_blocks / n_ranges; block < (range + 1) * n_blocks / n_ranges; ++block) {
            const Index first = block * label_block, last = std::min(n_labels, first + label_block);
            score_block(output, hidden, h.data(), n, first, last, z.data(), label_block);
            for (Index i = 0; i < n; ++i) scan(first, last - first, z.data() + i * label_block, best[range * n + i]);
        }
    });

    parallel_for(n_threads, 0, n, 16, [&](Index a, Index b) {
        for (Index i = a; i < b; ++i) {
            BestK all(k);
            for (Index range = 0; range < n_ranges; ++range) all.offer(best[range * n + i].hits());
            write_hits(std::move(all).sorted(), labels + (first_row + i) * k, scores + (first_row + i) * k);
        }
    });
}

}  // namespace

void exact_topk(const InputLayer& input, const OutputLayer& output, const CsrView& x, Index k, std::int64_t* labels, float* scores,
                int n_threads) {
    for (Index row = 0; row < x.n_rows; row += example_block)
        topk_of_block(input, output, x, row, std::min(example_block, x.n_rows - row), k, labels, scores, n_threads);
}

void screened_topk(const InputLayer& input, const OutputLayer& output, const Screen& screen, const CsrView& x, Index k,
                   std::int64_t* labels, float* scores, int n_threads) {
    std::vector<float> h(input.hidden());
    for (Index row = 0; row < x.n_rows; ++row) {
        input.forward(x, row, 1, h.data());
        write_hits(screen.topk(output, h.data(), k, n_threads), labels + row * k, scores + row * k);
    }
}

void all_logits(const InputLayer& input, const OutputLayer& output, const CsrView& x, float* logits, int n_threads) {
    const Index hidden = input.hidden(), n_labels = output.n_labels();
    parallel_for(n_threads, 0, x.n_rows, 64, [&](Index first, Index last) {
        std::vector<float> h((last - first) * hidden);
        input.forward(x, first, last - first, h.data());
        for (Index label = 0; label < n_labels; label += label_block)
            score_block(output, hidden, h.data(), last - first, label, std::min(n_labels, label + label_block),
                        logits + first * n_labels + label, n_labels);
    });
}

}  // namespace hashslide
