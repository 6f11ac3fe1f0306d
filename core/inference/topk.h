// The k best labels of each example, exactly, and all their logits.
#pragma once

#include "inference/screen.h"
#include "layers/model.h"

namespace hashslide {

// excluded: labels that each row must not get. labels, scores: (x.n_rows, k), best first, ties by the smaller id; where
// fewer than k labels are left, -1 and -infinity follow. 1 <= k <= n_labels. screen: null, and every label is scored;
// the results are the same.
void exact_topk(const Model& model, const Screen* screen, const CsrView& x, const CsrView& excluded, Index k,
                std::int64_t* labels, float* scores, int n_threads);

// The k best neurons by h . w + b for each row of h (n, width), best first.
void best_neurons(const OutputLayer& output, const float* h, Index n, Index k, std::vector<Hit>* best, int n_threads);

// One row of the two.
void write_hits(std::span<const Hit> hits, Index k, std::int64_t* labels, float* scores);

// logits: (x.n_rows, n_labels).
void all_logits(const Model& model, const CsrView& x, float* logits, int n_threads);

}  // namespace hashslide
