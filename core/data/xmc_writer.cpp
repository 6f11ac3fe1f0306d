#include "data/xmc_writer.h"

#include <charconv>
#include <utility>

namespace hashslide {
namespace {

template <class Number>
void append(std::string& text, Number number) {
    char buffer[32];
    text.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

void append_labels(std::string& text, const CsrInput& y, Index row) {
    bool is_first = true;
    y.each(row, [&](Id label, Index) {
        if (!std::exchange(is_first, false)) text += ',';
        append(text, label);
    });
}

void append_features(std::string& text, const CsrInput& x, Index row, Index base) {
    x.each(row, [&](Id id, Index entry) {
        text += ' ';
        append(text, id + base);
        text += ':';
        append(text, x.value(entry));
    });
}

}  // namespace

void append_rows(std::string& text, const CsrInput& x, const CsrInput& y, Index begin, Index end, Index feature_base) {
    for (Index row = begin; row < end; ++row) {
        const std::size_t start = text.size();
        append_labels(text, y, row);
        append_features(text, x, row, feature_base);
        if (text.size() == start) text += ' ';
        text += '\n';
    }
}

}  // namespace hashslide
