#include "text/term_counter.h"

#include <algorithm>
#include <tuple>

#include "base/parallel.h"

namespace hashslide {

std::size_t TermTable::place(TermHash hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) & mask;
    return at;
}

void TermTable::rebuild(std::size_t n_slots, std::uint32_t least) {
    std::vector<CountedTerm> old(n_slots);
    old.swap(slots_);
    n_ = 0;
    for (const CountedTerm& term : old) {
        if (term.hash == 0 || term.documents < least) continue;
        slots_[place(term.hash)] = term;
        ++n_;
    }
}

void TermTable::add(TermHash hash, std::uint32_t document, Index most) {
    if (2 * (n_ + 1) > static_cast<Index>(slots_.size())) rebuild(std::max<std::size_t>(64, 2 * slots_.size()), 0);
    CountedTerm& term = slots_[place(hash)];
    if (term.hash != 0) {
        ++term.documents;
        return;
    }
    term = {hash, 1, document};
    ++n_;
    while (n_ > most) {
        ++dropped_;
        rebuild(slots_.size(), dropped_ + 1);
    }
}

TermCounter::TermCounter(const TermSettings& settings, Index most_terms)
    : settings_(settings), most_of_part_(std::max<Index>(1, most_terms / parts)), tables_(parts) {}

void TermCounter::add(const Documents& documents, int n_threads) {
    constexpr Index grain = 256;
    struct Piece {
        std::vector<TermHash> hashes;  // of each document once
        std::vector<Index> ends;       // of the documents
    };
    std::vector<Piece> pieces((documents.n() + grain - 1) / grain);
    parallel_for(n_threads, 0, documents.n(), grain, [&](Index first, Index last) {
        Piece& piece = pieces[first / grain];
        TermReader reader(settings_);
        for (Index d = first; d < last; ++d) {
            const auto begin = std::ssize(piece.hashes);
            reader.each(documents, d, [&](TermHash hash, Index, auto&&) { piece.hashes.push_back(hash); });
            std::sort(piece.hashes.begin() + begin, piece.hashes.end());
            piece.hashes.erase(std::unique(piece.hashes.begin() + begin, piece.hashes.end()), piece.hashes.end());
            piece.ends.push_back(std::ssize(piece.hashes));
        }
    });
    parallel_for(n_threads, 0, parts, 1, [&](Index part, Index) {
        auto document = static_cast<std::uint32_t>(n_documents_);
        for (const Piece& piece : pieces) {
            Index at = 0;
            for (const Index end : piece.ends) {
                for (; at < end; ++at)
                    if (static_cast<Index>(piece.hashes[at] >> 60) == part)
                        tables_[part].add(piece.hashes[at], document, most_of_part_);
                ++document;
            }
        }
    });
    n_documents_ += documents.n();
}

std::uint32_t TermCounter::dropped() const {
    std::uint32_t most = 0;
    for (const TermTable& table : tables_) most = std::max(most, table.dropped());
    return most;
}

std::vector<CountedTerm> TermCounter::frequent(Index least_documents, Index most) const {
    std::vector<CountedTerm> found;
    for (const TermTable& table : tables_)
        for (const CountedTerm& term : table.slots())
            if (term.hash != 0 && static_cast<Index>(term.documents) >= least_documents) found.push_back(term);
    const auto is_before = [](const CountedTerm& a, const CountedTerm& b) {
        return std::tuple(b.documents, a.first_document, a.hash) < std::tuple(a.documents, b.first_document, b.hash);
    };
    if (std::ssize(found) > most) {
        std::nth_element(found.begin(), found.begin() + most, found.end(), is_before);
        found.resize(static_cast<std::size_t>(most));
    }
    std::sort(found.begin(), found.end(), is_before);
    return found;
}

}  // namespace hashslide
