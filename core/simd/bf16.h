// bfloat16: the upper half of a float32. 8 bits of precision, the same exponents.
#pragma once

#include <bit>
#include <cstdint>

#include "base/types.h"

namespace hashslide {

using Bf16 = std::uint16_t;  // its bits

// How the weights of the layers are stored. Activations, gradients, sums and the optimisers' state are float32.
enum class Precision { float32, bfloat16 };

inline float widened(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

}  // namespace hashslide
