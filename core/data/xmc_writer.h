// Rows of a data set as text in the format that xmc_reader.h reads.
#pragma once

#include <string>

#include "sparse/csr_input.h"

namespace hashslide {

// Appends lines [begin, end) to `text`. Values take the fewest digits that read back as the same float.
void append_rows(std::string& text, const CsrInput& x, const CsrInput& y, Index begin, Index end, Index feature_base);

}  // namespace hashslide
