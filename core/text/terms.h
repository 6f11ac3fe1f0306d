// The terms of a text: words, sequences of words, and n-grams of the characters within a word (docs/how/text.md). A
// term is known by a hash of 64 bits, so that no table holds strings: two of 10^6 terms are taken for one with
// probability 3e-8.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "text/unicode.h"

namespace hashslide {

using TermHash = std::uint64_t;

struct TermSettings {
    Index columns = 1;        // texts of a document
    Index words = 2;          // longest sequence of words; 0: none
    Index least_letters = 0;  // of an n-gram of characters; 0: none
    Index most_letters = 0;
};

// Documents in UTF-8, folded: column c of document d is the text offsets[d * columns + c] .. of the next.
class Documents {
public:
    Documents(std::string_view utf8, const Index* offsets, Index n, Index columns)
        : utf8_(utf8), offsets_(offsets), n_(n), columns_(columns) {}
    Index n() const { return n_; }
    std::string_view text(Index document, Index column) const {
        const Index* bounds = offsets_ + document * columns_ + column;
        return utf8_.substr(static_cast<std::size_t>(bounds[0]), static_cast<std::size_t>(bounds[1] - bounds[0]));
    }

private:
    std::string_view utf8_;
    const Index* offsets_;
    Index n_, columns_;
};

// Memory of one thread.
class TermReader {
public:
    explicit TermReader(const TermSettings& settings) : settings_(settings) {}

    // Calls f(hash, column, name) for each term of a document, as often as it occurs; name() is its text: words
    // separated by a space, or characters in quotes, whose spaces are the ends of words.
    template <class F>
    void each(const Documents& documents, Index document, F&& f) {
        for (Index column = 0; column < settings_.columns; ++column) {
            const std::string_view text = documents.text(document, column);
            if (settings_.words > 0) each_sequence(text, column, f);
            if (settings_.least_letters > 0) each_ngram(text, column, f);
        }
    }

private:
    struct Word {
        std::size_t first, last;  // bytes
        TermHash hash;
    };

    // FNV-1a (Fowler, Noll & Vo), whose bits mix() spreads.
    static constexpr TermHash start = 0xcbf29ce484222325ULL;
    static TermHash extended(TermHash hash, std::string_view bytes) {
        for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
        return hash;
    }
    // Of a kind of term in a column; never 0, which stands for none in tables.
    static TermHash finished(TermHash hash, Index column, Index kind) {
        const TermHash found = mix(hash ^ mix(static_cast<TermHash>(column) << 8 | static_cast<TermHash>(kind)));
        return found ? found : 1;
    }

    void find_words(std::string_view text);
    void find_chunk(std::string_view text, std::size_t& at);

    template <class F>
    void each_sequence(std::string_view text, Index column, F&& f) {
        find_words(text);
        for (std::size_t first = 0; first < words_.size(); ++first) {
            TermHash hash = 0;
            const std::size_t end = std::min(words_.size(), first + static_cast<std::size_t>(settings_.words));
            for (std::size_t last = first; last < end; ++last) {
                hash = mix(hash) + words_[last].hash;
                f(finished(hash, column, static_cast<Index>(last - first + 1)), column, [&] {
                    std::string name;
                    for (std::size_t i = first; i <= last; ++i) {
                        if (i > first) name += ' ';
                        name += text.substr(words_[i].first, words_[i].last - words_[i].first);
                    }
                    return name;
                });
            }
        }
    }

    // Of each chunk between spaces, with a space before and behind it; of one that is shorter than the n-gram itself,
    // once: as scikit-learn's "char_wb".
    template <class F>
    void each_ngram(std::string_view text, Index column, F&& f) {
        for (std::size_t at = 0; at < text.size();) {
            find_chunk(text, at);
            const auto n_points = static_cast<Index>(points_.size()) - 1;
            for (Index n = settings_.least_letters; n_points > 2 && n <= settings_.most_letters; ++n) {
                for (Index first = 0; first == 0 || first + n <= n_points; ++first) {
                    const std::size_t begin = points_[first], end = points_[std::min(first + n, n_points)];
                    const std::string_view gram(chunk_.data() + begin, end - begin);
                    f(finished(extended(start, gram), column, 0), column,
                      [&] { return '"' + std::string(gram) + '"'; });
                }
                if (n >= n_points) break;
            }
        }
    }

    TermSettings settings_;
    std::vector<Word> words_;
    std::string chunk_;                // " word "
    std::vector<std::size_t> points_;  // where its code points begin, and its end
};

}  // namespace hashslide
