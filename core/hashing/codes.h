// From K elementary hashes of a table to the number of its bucket.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "base/types.h"

namespace hashslide {

// bucket = (offset + sum_k m_k h_k mod 2^64) >> shift. As long as the K b bits of a code fit into ceil(log2(neurons)),
// m_k = 2^(b k) packs them side by side. Otherwise random 64-bit m_k and offset fold them: two different codes share a
// bucket with chance exactly 1 / buckets (strongly universal; Thorup 2015, High speed hashing for integers and
// strings).
class Codes {
public:
    Codes(Index tables, Index hashes, int bits_per_hash, Index neurons);

    Index n_buckets() const { return Index{1} << bits_; }
    Index tables() const { return tables_; }
    Index hashes() const { return hashes_; }
    void draw(const CounterRng& rng);

    // values: (tables, hashes, lanes); sums: (tables, lanes).
    void combine(const Id* values, std::uint64_t* sums) const;
    Id bucket(std::uint64_t sum) const { return static_cast<Id>(sum >> shift_); }
    // What a sum changes by when elementary hash k, counted through all tables, changes.
    std::uint64_t change(Index k, Id from, Id to) const {
        return multipliers_[k] * (static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from));
    }

private:
    Index tables_, hashes_;
    int bits_per_hash_, bits_, shift_;
    bool folds_;
    std::vector<std::uint64_t> multipliers_, offsets_;  // (tables, hashes), (tables,)
};

}  // namespace hashslide
