// Rows of a data set as text in the format that xmc_reader.h reads.
#pragma once

#include <string>

#include "sparse/csr.h"

namespace hashslide {

// Appends lines [begin, end) to `text`. Values take the fewest digits that read back as the same float.
void append_rows(std::string& text, const CsrView& x, const CsrView& y, Index begin, Index end, Index feature_base);

}  // namespace hashslide
