// Exact top-k at a fraction of the arithmetic and the memory traffic: 8-bit copies of the weights and of the examples
// bound every score, and only the labels that can still win are scored.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/best_k.h"
#include "inference/contenders.h"
#include "layers/model.h"
#include "simd/panels.h"
#include "sparse/csr.h"

namespace hashslide {

// Bound of the rounding errors in a score and in its bounds, relative to |h| |w| + |b| + |offset|, for products of
// `width` numbers.
inline float rounding_error(Index width) { return std::max(1e-5f, 1.2e-7f * static_cast<float>(width)); }

// w = s q + e with integers |q| <= 127 and s = max|w| / 127; h = t p + d with |p| <= 63. By Cauchy-Schwarz
// |h.w - s t p.q| <= |h| |e| + |d| |s q|. Memory: n_labels * (hidden + 20) bytes.
class Screen {
public:
    Screen(const Model& model, int n_threads);

    // Sets best[i] to the k best labels by logit and offset, best first, for row i of h (n, width), the hidden
    // activations, but for the labels that the row i of `excluded` names. False, and nothing is set, where numbers are
    // so large that there are no bounds.
    bool topk(const Model& model, const float* h, Index n, const CsrView& excluded, Index k, std::vector<Hit>* best,
              int n_threads) const;

private:
    struct Queries;
    Index panel_bytes() const { return groups_ * group * panel_labels; }
    // q: room for the integers of a label.
    float set_label(const Model& model, Index label, std::int8_t* q);
    Queries quantise(const float* h, Index first, Index last) const;
    // Offers to contenders[i] what may be among the best of query i.
    void screen_panels(const Model& model, const Queries& queries, const CsrView& excluded, Index first, Index last,
                       Contenders* contenders) const;

    Index width_, groups_, n_panels_;
    Array<std::uint8_t> weights_;  // (n_panels, groups, panel_labels, group)
    Array<PanelBounds> bounds_;    // (n_panels,)
    bool is_bounded_;
};

}  // namespace hashslide
