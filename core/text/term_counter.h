// How many documents have each term, in bounded memory.
#pragma once

#include <vector>

#include "text/terms.h"

namespace hashslide {

struct CountedTerm {
    TermHash hash;
    std::uint32_t documents;       // that have it
    std::uint32_t first_document;  // of them
};

// Counts of terms by their hash: open addressing with linear probing, at most half full.
class TermTable {
public:
    // One document more. Where there are more than `most` terms, the rarest are dropped, as in lossy counting (Manku &
    // Motwani, VLDB 2002): a count is then too small by at most `dropped()`.
    void add(TermHash hash, std::uint32_t document, Index most);
    std::uint32_t dropped() const { return dropped_; }
    const std::vector<CountedTerm>& slots() const { return slots_; }  // hash 0: empty

private:
    std::size_t place(TermHash hash) const;
    void rebuild(std::size_t n_slots, std::uint32_t least);

    std::vector<CountedTerm> slots_;
    Index n_ = 0;
    std::uint32_t dropped_ = 0;
};

class TermCounter {
public:
    // most_terms: kept in memory at a time.
    TermCounter(const TermSettings& settings, Index most_terms);

    // Further documents. The result does not depend on the number of threads. O(terms).
    void add(const Documents& documents, int n_threads);
    Index n_documents() const { return n_documents_; }
    std::uint32_t dropped() const;

    // The terms of at least so many documents, the most frequent first, of equally frequent ones the first that came;
    // at most `most` of them.
    std::vector<CountedTerm> frequent(Index least_documents, Index most) const;

private:
    static constexpr int parts = 16;  // of the hashes, each counted by one thread

    TermSettings settings_;
    Index most_of_part_;
    Index n_documents_ = 0;
    std::vector<TermTable> tables_;
};

}  // namespace hashslide
