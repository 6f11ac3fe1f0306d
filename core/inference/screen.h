// Exact top-k of a single example at a quarter of the memory traffic. Scoring one row is bound by reading the weights,
// so the labels are first screened with 8-bit copies and an error bound, and only those that can still win are scored
// exactly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "layers/model.h"

namespace hashslide {

// Bound of the difference between two float sums of |h.w + b + extra| with `width` products each, relative to
// |h| |w| + |b| + |extra|.
inline float rounding_error(Index width) { return std::max(1e-5f, 1.2e-7f * static_cast<float>(width)); }

// w = s q + e with q in -127 .. 127 and s = max|w| / 127; h = t p + d with 16-bit p. By Cauchy-Schwarz
// |h.w - s t p.q| <= |h| |e| + |d| |s q|, so a label whose upper bound lies below the k-th best lower bound is out for
// certain. Memory: n_labels * (hidden + 16) bytes.
class Screen {
public:
    Screen(const OutputLayer& output, int n_threads);

    // The k best labels by logit and offset, best first, for the hidden activation h, but for the excluded ones, which
    // ascend; nothing if numbers overflow, so that there are no bounds.
    std::vector<Hit> topk(const Model& model, const float* h, std::span<const Id> excluded, Index k,
                          int n_threads) const;

private:
    struct Row {
        float scale, bias, norm, error;  // |w| and |e|
    };
    struct Query;
    struct Chunk;
    Query quantise(const float* h) const;
    // extra: exact addends to the scores of the labels first .. last (the offsets).
    Chunk screen_chunk(const Query& query, Index first, Index last, const float* extra, std::span<const Id> excluded,
                       Index k) const;

    Index n_labels_, hidden_;
    Array<std::int8_t> quantised_;  // (n_labels, hidden)
    Array<Row> rows_;
};

}  // namespace hashslide
