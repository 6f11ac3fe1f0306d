#include "topk.h"

#include <algorithm>
#include <vector>

#include "best_k.h"
#include "gemm.h"
#include "parallel.h"
#include "scratch.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index example_block = 128;  // examples that share one pass over the weights
constexpr Index label_block = 256;    // labels of one product
constexpr Index range_blocks =
    16;                           // blocks of one piece of work: its logits (128 x 4096) stay in the second-level cache
constexpr Index scan_block = 64;  // logits compared with the threshold at once

// What scores a label: z = h . w + b + direct term.
struct Model {
    const HiddenStack& stack;
    const OutputLayer& output;
    const DirectTerm& direct;

    std::vector<float> hidden(const CsrView& x, Index first, Index n, int n_threads) const {
        std::vector<float> h(n * stack.width());
        stack.predict(x, first, n, h.data(), n_threads);
        return h;
    }

    // h W^T + b of the labels first .. last for n examples; z: rows of ldz floats. Block by block, so that the rows of
    // the weights are read once for all examples.
    void products(Index n, const float* h, Index first, Index last, float* z, Index ldz) const {
        const Index width = stack.width();
        for (Index block = first; block < last; block += label_block) {
            const Index end = std::min(last, block + label_block);
            float* out = z + block - first;
            for (Index i = 0; i < n; ++i)
                std::copy(output.bias.data() + block, output.bias.data() + end, out + i * ldz);
            gemm_nt(n, end - block, width, h, width, output.weight.data() + block * width, width, 1.0f, out, ldz);
        }
    }
};

// Offers n logits of consecutive labels. Most blocks hold nothing above the k-th best and cost one vectorised maximum.
void scan(Index first_label, Index n, const float* z, BestK& best) {
    for (Index i = 0; i < n; i += scan_block) {
        const Index end = std::min(n, i + scan_block);
        if (best.full() && kernels().maximum(end - i, z + i) < best.worst().score) continue;
        for (Index j = i; j < end; ++j) best.offer({z[j], static_cast<Id>(first_label + j)});
    }
}

// Workers take ranges of labels; each lane of ranges keeps its own best, merged at the end. The number of lanes bounds
// the memory.
void topk_of_block(const Model& model, const CsrView& x, Index first_row, Index n, Index k, std::int64_t* labels,
                   float* scores, int n_threads) {
    constexpr Index max_lanes = 64, range = label_block * range_blocks;
    const Index n_labels = model.output.n_labels(), n_ranges = (n_labels + range - 1) / range;
    const Index n_lanes = std::min(max_lanes, n_ranges);
    const std::vector<float> h = model.hidden(x, first_row, n, n_threads);
    std::vector<BestK> best(n_lanes * n, BestK(k));
    parallel_for(n_threads, 0, n_lanes, 1, [&](Index lane, Index) {
        float* z = scratch(n * std::min(range, n_labels));
        for (Index r = lane; r < n_ranges; r += n_lanes) {
            const Index first = r * range, last = std::min(n_labels, first + range);
            model.products(n, h.data(), first, last, z, last - first);
            for (Index i = 0; i < n; ++i) {
                float* row = z + i * (last - first);
                model.direct.add(x.ids(first_row + i), x.values(first_row + i), static_cast<Id>(first),
                                 static_cast<Id>(last), row);
                scan(first, last - first, row, best[lane * n + i]);
            }
        }
    });
    parallel_for(n_threads, 0, n, 16, [&](Index a, Index b) {
        for (Index i = a; i < b; ++i) {
            BestK all(k);
            for (Index lane = 0; lane < n_lanes; ++lane) all.offer(best[lane * n + i].hits());
            write_hits(std::move(all).sorted(), labels + (first_row + i) * k, scores + (first_row + i) * k);
        }
    });
}

}  // namespace

void write_hits(std::span<const Hit> hits, std::int64_t* labels, float* scores) {
    for (std::size_t j = 0; j < hits.size(); ++j) {
        labels[j] = hits[j].label;
        scores[j] = hits[j].score;
    }
}

void exact_topk(const HiddenStack& stack, const OutputLayer& output, const DirectTerm& direct, const CsrView& x,
                Index k, std::int64_t* labels, float* scores, int n_threads) {
    for (Index row = 0; row < x.n_rows; row += example_block)
        topk_of_block({stack, output, direct}, x, row, std::min(example_block, x.n_rows - row), k, labels, scores,
                      n_threads);
}

void screened_topk(const HiddenStack& stack, const OutputLayer& output, const DirectTerm& direct, const Screen& screen,
                   const CsrView& x, Index k, std::int64_t* labels, float* scores, int n_threads) {
    std::vector<float> h(stack.width());
    for (Index row = 0; row < x.n_rows; ++row) {
        stack.predict(x, row, 1, h.data(), n_threads);
        const std::vector<Hit> hits = screen.topk(output, direct, x, row, h.data(), k, n_threads);
        if (hits.empty())
            topk_of_block({stack, output, direct}, x, row, 1, k, labels, scores, n_threads);
        else
            write_hits(hits, labels + row * k, scores + row * k);
    }
}

// Products of one fixed shape, the last one padded with zeros: so the logits of a row have the same bits whatever rows
// come with it.
void all_logits(const HiddenStack& stack, const OutputLayer& output, const DirectTerm& direct, const CsrView& x,
                float* logits, int n_threads) {
    constexpr Index rows = 64;
    const Index n_labels = output.n_labels(), hidden = stack.width();
    const Model model{stack, output, direct};
    parallel_for(n_threads, 0, x.n_rows, rows, [&](Index begin, Index end) {
        std::vector<float> h(rows * hidden, 0.0f);
        stack.predict(x, begin, end - begin, h.data(), 1);
        float* z = scratch(rows * label_block);
        for (Index first = 0; first < n_labels; first += label_block) {
            const Index last = std::min(n_labels, first + label_block);
            model.products(rows, h.data(), first, last, z, last - first);
            for (Index i = 0; i < end - begin; ++i)
                std::copy_n(z + i * (last - first), last - first, logits + (begin + i) * n_labels + first);
        }
        for (Index i = begin; i < end; ++i)
            direct.add(x.ids(i), x.values(i), 0, static_cast<Id>(n_labels), logits + i * n_labels);
    });
}

}  // namespace hashslide
