#include "text/unicode.h"

#include <algorithm>
#include <vector>

#include "text/unicode_ranges.h"

namespace hashslide {
namespace {

std::vector<CodePoint> all_kinds() {
    std::vector<CodePoint> kinds(0x110000, CodePoint::separator);
    for (const CodePoints& range : code_points)
        std::fill(kinds.begin() + range.first, kinds.begin() + range.last + 1, range.kind);
    return kinds;
}

}  // namespace

CodePoint kind_of(char32_t point) {
    static const std::vector<CodePoint> kinds = all_kinds();
    return kinds[point];
}

}  // namespace hashslide
