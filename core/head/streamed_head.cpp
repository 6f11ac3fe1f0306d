#include "head/streamed_head.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/best_k.h"
#include "base/parallel.h"
#include "base/scratch.h"
#include "head/row_loss.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// Threads take lanes of the blocks, and each lane sums for itself: their number is fixed, so sums do not depend on that
// of the threads, and it bounds the memory.
constexpr Index class_block = 256, row_block = 1024, max_lanes = 16;

Index blocks_of(const HeadView& head) { return (head.n_classes + class_block - 1) / class_block; }
Index lanes_of(const HeadView& head) { return std::min(max_lanes, blocks_of(head)); }

// visit(lane, first, last) for the classes first .. last - 1 of each block, the blocks of a lane in their order.
template <class F>
void each_block(const HeadView& head, int n_threads, F&& visit) {
    const Index n_lanes = lanes_of(head), n_blocks = blocks_of(head);
    parallel_for(n_threads, 0, n_lanes, 1, [&](Index lane, Index) {
        for (Index block = lane; block < n_blocks; block += n_lanes) {
            poll();
            visit(lane, block * class_block, std::min(head.n_classes, (block + 1) * class_block));
        }
    });
}

// z (n, last - first) of one block; returns its rows as floats.
const float* block_logits(const HeadView& head, const float* h, Index n, Index first, Index last, float* z) {
    const Index size = last - first, width = head.weight.width;
    const float* rows = head.weight.rows(first, size, scratch<1>(head.weight.half ? size * width : 0));
    for (Index b = 0; b < n; ++b)
        head.bias ? void(std::copy_n(head.bias + first, size, z + b * size))
                  : void(std::fill_n(z + b * size, size, 0.0f));
    gemm_nt(n, size, width, h, width, rows, width, 1.0f, z, size);
    return rows;
}

// log of the sum of the exponentials of what has been seen, as the largest of it and a sum.
struct LogSum {
    float top = -std::numeric_limits<float>::infinity();
    double sum = 0;

    void add(float other_top, double other_sum) {
        if (other_sum == 0) return;
        if (other_top > top) {
            sum *= std::exp(static_cast<double>(top) - other_top);
            top = other_top;
        }
        sum += other_sum * std::exp(static_cast<double>(other_top) - top);
    }
    float value() const { return static_cast<float>(top + std::log(sum)); }
};

// Labels by class: `order` holds their numbers, and the example of each is in `rows`.
struct ByClass {
    explicit ByClass(const HeadLabels& labels) : labels(labels), rows(labels.size()), order(labels.size()) {
        for (Index b = 0; b < labels.n_examples; ++b)
            std::fill(rows.begin() + labels.begin[b], rows.begin() + labels.begin[b + 1], b);
        std::iota(order.begin(), order.end(), Index{0});
        std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) { return labels.ids[i] < labels.ids[j]; });
    }
    template <class F>
    void each(Index first, Index last, F&& visit) const {
        auto i = std::lower_bound(order.begin(), order.end(), first,
                                  [&](Index label, Index id) { return labels.ids[label] < id; });
        for (; i != order.end() && labels.ids[*i] < last; ++i) visit(*i, rows[*i]);
    }

    const HeadLabels& labels;
    std::vector<Index> rows, order;
};

void add_up(LossKind kind, const HeadView& head, const float* h, Index n, float* losses, float* log_partition,
            int n_threads) {
    const Index n_lanes = lanes_of(head);
    std::vector<LogSum> sums(n_lanes * n);
    std::vector<double> of_lanes(n_lanes * n, 0.0);
    each_block(head, n_threads, [&](Index lane, Index first, Index last) {
        const Index size = last - first;
        float* z = scratch<0>(n * class_block);
        block_logits(head, h, n, first, last, z);
        for (Index b = 0; b < n; ++b) {
            float* row = z + b * size;
            if (kind == LossKind::bce) {
                of_lanes[lane * n + b] += kernels().sigmoid_loss(size, row);
            } else {
                const float top = kernels().maximum(size, row);
                sums[lane * n + b].add(top, kernels().exp_sum(size, top, row));
            }
        }
    });
    for (Index b = 0; b < n; ++b) {
        double loss = 0;
        LogSum all;
        for (Index lane = 0; lane < n_lanes; ++lane) {
            loss += of_lanes[lane * n + b];
            all.add(sums[lane * n + b].top, sums[lane * n + b].sum);
        }
        losses[b] = static_cast<float>(loss);
        log_partition[b] = kind == LossKind::softmax ? all.value() : 0.0f;
    }
}

}  // namespace

void streamed_loss(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels,
                   const StreamedLoss& out, int n_threads) {
    const FlushDenormals flush;
    const Index width = head.weight.width;
    for (Index row = 0; row < labels.n_examples; row += row_block)
        add_up(kind, head, h + row * width, std::min(row_block, labels.n_examples - row), out.losses + row,
               out.log_partition + row, n_threads);
    parallel_for(n_threads, 0, labels.n_examples, 64, [&](Index begin, Index end) {
        for (Index b = begin; b < end; ++b) {
            double loss = out.losses[b];
            for (Index i = labels.begin[b]; i < labels.begin[b + 1]; ++i) {
                const Index id = labels.ids[i];
                const float z = head.weight.dot(id, h + b * width) + (head.bias ? head.bias[id] : 0.0f);
                out.target_logits[i] = z;
                loss += kind == LossKind::bce
                            ? positive_term(z, labels.weight[i])
                            : static_cast<double>(labels.weight[i]) * (static_cast<double>(out.log_partition[b]) - z);
            }
            out.losses[b] = static_cast<float>(loss);
        }
    });
}

void streamed_gradient(LossKind kind, const HeadView& head, const float* h, const HeadLabels& labels,
                       const StreamedLoss& made, const float* gradients, float* dh, float* dw, float* db,
                       int n_threads) {
    const FlushDenormals flush;
    const Index width = head.weight.width, n_lanes = lanes_of(head);
    const ByClass by_class(labels);
    std::vector<float> at_label(labels.size()), factor(gradients, gradients + labels.n_examples);
    for (Index b = 0; b < labels.n_examples; ++b) {
        double weight = 0;
        for (Index i = labels.begin[b]; i < labels.begin[b + 1]; ++i) {
            at_label[i] =
                gradients[b] * (kind == LossKind::bce ? positive_gradient(made.target_logits[i], labels.weight[i])
                                                      : -labels.weight[i]);
            weight += labels.weight[i];
        }
        if (kind == LossKind::softmax) factor[b] *= static_cast<float>(weight);
    }
    for (Index row = 0; row < labels.n_examples; row += row_block) {
        const Index n = std::min(row_block, labels.n_examples - row);
        const float* x = h + row * width;
        const float beta = row == 0 ? 0.0f : 1.0f;
        std::vector<float> of_lanes(dh ? n_lanes * n * width : 0, 0.0f);
        each_block(head, n_threads, [&](Index lane, Index first, Index last) {
            const Index size = last - first;
            float* z = scratch<0>(n * class_block);
            const float* rows = block_logits(head, x, n, first, last, z);
            for (Index b = 0; b < n; ++b) {
                float* dz = z + b * size;
                if (kind == LossKind::bce)
                    kernels().sigmoid_loss(size, dz);
                else
                    kernels().exp_sum(size, made.log_partition[row + b], dz);
                kernels().scale(size, factor[row + b], dz);
            }
            by_class.each(first, last, [&](Index label, Index b) {
                if (b >= row && b < row + n) z[(b - row) * size + labels.ids[label] - first] += at_label[label];
            });
            if (dh) gemm_nn(n, width, size, z, size, rows, width, 1.0f, of_lanes.data() + lane * n * width, width);
            if (dw) gemm_tn(size, width, n, z, size, x, width, beta, dw + first * width, width);
            if (!db) return;
            if (row == 0) std::fill_n(db + first, size, 0.0f);
            for (Index b = 0; b < n; ++b) kernels().axpy(size, 1.0f, z + b * size, db + first);
        });
        if (!dh) continue;
        parallel_for(n_threads, 0, n, 64, [&](Index begin, Index end) {
            float* out = dh + (row + begin) * width;
            std::fill_n(out, (end - begin) * width, 0.0f);
            for (Index lane = 0; lane < n_lanes; ++lane)
                kernels().axpy((end - begin) * width, 1.0f, of_lanes.data() + (lane * n + begin) * width, out);
        });
    }
}

void streamed_topk(const HeadView& head, const float* h, Index n, Index k, std::int64_t* classes, float* scores,
                   int n_threads) {
    const FlushDenormals flush;
    constexpr Index rows_at_once = 128;  // that share one pass over all weights
    const Index width = head.weight.width, n_lanes = lanes_of(head);
    for (Index row = 0; row < n; row += rows_at_once) {
        const Index some = std::min(rows_at_once, n - row);
        std::vector<BestK> of_lanes(n_lanes * some, BestK(k));
        each_block(head, n_threads, [&](Index lane, Index first, Index last) {
            const Index size = last - first;
            float* z = scratch<0>(some * class_block);
            head.weight.from(first).products(some, h + row * width, nullptr, size, z, size);
            for (Index b = 0; b < some; ++b) {
                if (head.bias) kernels().axpy(size, 1.0f, head.bias + first, z + b * size);
                BestK& best = of_lanes[lane * some + b];
                if (best.full() && kernels().maximum(size, z + b * size) < best.worst().score) continue;
                for (Index j = 0; j < size; ++j) best.offer({z[b * size + j], static_cast<Id>(first + j)});
            }
        });
        parallel_for(n_threads, 0, some, 16, [&](Index begin, Index end) {
            for (Index b = begin; b < end; ++b) {
                BestK all(k);
                for (Index lane = 0; lane < n_lanes; ++lane) all.offer(of_lanes[lane * some + b].hits());
                const std::vector<Hit> hits = std::move(all).sorted();
                for (Index j = 0; j < k; ++j) {
                    classes[(row + b) * k + j] = hits[j].label;
                    scores[(row + b) * k + j] = hits[j].score;
                }
            }
        });
    }
}

}  // namespace hashslide
