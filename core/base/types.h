// Names of the integer kinds that cross every file.
#pragma once

#include <cstdint>

namespace hashslide {

using Index = std::int64_t;  // counts, offsets and row numbers: may pass 2^31
using Id = std::int32_t;     // one feature or one label

}  // namespace hashslide
