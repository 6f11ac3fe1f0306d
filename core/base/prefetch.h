// Asks for memory ahead of its use. Rows of weights are met in no order that the hardware could foresee.
#pragma once

#include "base/types.h"

namespace hashslide {

// The line of the cache that holds *p. GCC takes a function that only prefetches for one without any effect and drops
// the calls that it does not inline; the empty assembly is an effect.
inline void prefetch(const void* p) {
    __builtin_prefetch(p);
    asm volatile("");
}

// n items at p.
template <class T>
inline void prefetch(const T* p, Index n) {
    constexpr Index line = 64 / sizeof(T);
    for (Index i = 0; i < n; i += line) prefetch(p + i);
}

}  // namespace hashslide
