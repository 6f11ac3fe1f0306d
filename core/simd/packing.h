// Bytes in the order in which the screen's inner loops read them (simd/panels.h): `group` of a vector, then those of
// the next. Vectors are padded with zeros to whole groups.
#pragma once

#include <cstring>
#include <numeric>

#include "simd/panels.h"

namespace hashslide {

inline Index groups_of(Index width) { return (width + group - 1) / group; }

// Puts a vector into place `place` of `places`; change: bits that are inverted.
inline void pack(const std::int8_t* q, Index groups, Index place, Index places, std::uint32_t change, void* out) {
    static_assert(group == sizeof change);
    for (Index g = 0; g < groups; ++g) {
        std::uint32_t bytes;
        std::memcpy(&bytes, q + g * group, group);
        bytes ^= change;
        std::memcpy(static_cast<char*>(out) + (g * places + place) * group, &bytes, group);
    }
}

// Label i of a panel. q + 128 is q with the other sign bit.
inline void pack_label(const std::int8_t* q, Index groups, Index i, std::uint8_t* panel) {
    pack(q, groups, i, panel_labels, 0x80808080, panel);
}

// Query i of n. Returns what makes up for the 128 in the weights.
inline std::int32_t pack_query(const std::int8_t* q, Index groups, Index i, Index n, std::int8_t* queries) {
    pack(q, groups, i, n, 0, queries);
    return -byte_offset * std::accumulate(q, q + groups * group, 0);
}

}  // namespace hashslide
