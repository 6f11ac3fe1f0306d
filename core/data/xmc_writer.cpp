#include "data/xmc_writer.h"

#include <cassert>
#include <charconv>

namespace hashslide {
namespace {

template <class Number>
void append(std::string& text, Number number) {
    char buffer[32];
    text.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

void append_labels(std::string& text, std::span<const Id> labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (i > 0) text += ',';
        append(text, labels[i]);
    }
}

void append_features(std::string& text, std::span<const Id> ids, std::span<const float> values, Index base) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        text += ' ';
        append(text, ids[i] + base);
        text += ':';
        append(text, values[i]);
    }
}

}  // namespace

void append_rows(std::string& text, const CsrView& x, const CsrView& y, Index begin, Index end, Index feature_base) {
    assert(0 <= begin && end <= x.n_rows && x.n_rows == y.n_rows);
    for (Index row = begin; row < end; ++row) {
        append_labels(text, y.ids(row));
        append_features(text, x.ids(row), x.values(row), feature_base);
        if (y.ids(row).empty() && x.ids(row).empty()) text += ' ';
        text += '\n';
    }
}

}  // namespace hashslide
