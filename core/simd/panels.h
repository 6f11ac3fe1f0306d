// How the screen (inference/screen.h) lays labels out for its inner loops: 16 at a time, as a panel.
#pragma once

#include "base/types.h"

namespace hashslide {

constexpr Index panel_labels = 16;
// The weights of a panel are the bytes q + 128, (groups, panel_labels, group): there are instructions that multiply
// unsigned with signed bytes and add four products to an integer.
constexpr Index group = 4;
constexpr std::int32_t byte_offset = 128;
// Larger numbers in the other factor would pass 16 bits in a sum of two products: 2 * 255 * 63 < 2^15.
constexpr float largest_query = 63, largest_weight = 127;

struct QueryBounds {
    float scale, norm, error;  // t, |h| and |d|
};

// What bounds the scores of a panel's labels (inference/screen.h).
struct PanelBounds {
    float scale[panel_labels];   // s
    float raised[panel_labels];  // b + slack
    float error[panel_labels];   // |e|
    float norm[panel_labels];    // |s q|
    float slack[panel_labels];   // for rounding errors
    float margin(const QueryBounds& h, Index i) const { return h.norm * error[i] + h.error * norm[i] + slack[i]; }
};

// x = scale q + error, in integers q; both lengths are those of the whole vectors.
struct Quantised {
    float scale, error;
};

}  // namespace hashslide
