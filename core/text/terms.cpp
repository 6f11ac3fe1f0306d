#include "text/terms.h"

namespace hashslide {

void TermReader::find_words(std::string_view text) {
    words_.clear();
    bool is_open = false, may_grow = false;  // a word has begun; it takes letters, not only marks
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t first = at;
        const CodePoint kind = kind_of(next_point(text, at));
        if (kind == CodePoint::ignored) continue;
        const bool is_letter = kind == CodePoint::word;
        if ((is_letter && may_grow) || (kind == CodePoint::mark && is_open)) {
            words_.back().last = at;
            words_.back().hash = extended(words_.back().hash, text.substr(first, at - first));
            continue;
        }
        is_open = is_letter || kind == CodePoint::alone || kind == CodePoint::mark;
        may_grow = is_letter;
        if (is_open) words_.push_back({first, at, extended(start, text.substr(first, at - first))});
    }
}

void TermReader::find_chunk(std::string_view text, std::size_t& at) {
    chunk_.assign(1, ' ');
    points_.assign(1, 0);
    while (at < text.size()) {
        const std::size_t first = at;
        const bool is_space = kind_of(next_point(text, at)) == CodePoint::space;
        if (is_space && chunk_.size() > 1) break;
        if (is_space) continue;
        points_.push_back(chunk_.size());
        chunk_ += text.substr(first, at - first);
    }
    points_.push_back(chunk_.size());
    chunk_ += ' ';
    points_.push_back(chunk_.size());
}

}  // namespace hashslide
