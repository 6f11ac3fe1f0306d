// Working memory of one thread, kept between calls: a fresh allocation of this size would be mapped, faulted in page by
// page and unmapped again each time.
#pragma once

#include <vector>

#include "base/types.h"

namespace hashslide {

// At least n floats with arbitrary content, valid until this thread asks for the same slot again. A function that needs
// several at once numbers them.
template <int slot = 0>
float* scratch(Index n) {
    thread_local std::vector<float> memory;
    if (static_cast<Index>(memory.size()) < n) memory.resize(n);
    return memory.data();
}

}  // namespace hashslide
