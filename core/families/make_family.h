// The hash families by their names.
#pragma once

#include <memory>

#include "hashing/hash_family.h"

namespace hashslide {

// A family for vectors of `width` floats. Codes of more bits than ceil(log2(neurons)) are folded to so many by a
// universal hash, so that a table's memory is proportional to the neurons.
std::unique_ptr<HashFamily> make_hash_family(const HashFamilyConfig& config, Index width, Index neurons,
                                             std::uint64_t seed);

}  // namespace hashslide
