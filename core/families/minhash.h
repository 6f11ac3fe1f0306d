// MinHash of supports: the chance that two sets of coordinates have the same minimum under a random permutation is
// their Jaccard similarity (Broder 1997).
#pragma once

#include <vector>

#include "hashing/elementary_family.h"

namespace hashslide {

// The support of a vector is its non-zero coordinates, of more than `top` the largest. One permutation, cut into bins,
// gives a minimum in each (Li, Owen & Zhang 2012); an empty bin borrows from another one, chosen by a hash of its own
// number and the attempt (Shrivastava 2017, optimal densification). A permutation has at most `top` / 2 bins, so that
// most are filled and the hashes stay nearly independent. Of each minimum 4 bits are kept (b-bit minwise hashing, Li &
// Koenig 2010), which adds chance agreement: J + (1 - J) / 16. 2 K L operations a vector, next to finding its support.
class MinHash : public ElementaryFamily {
public:
    MinHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);

    double collision_probability(const float* a, const float* b) const override;

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void hash_block(const Vectors& vectors, Id* values) const override;
    void probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const override;

    struct Entry {
        Id id;
        float value;
    };
    void find_support(const Vectors& vectors, Index i, std::vector<Entry>& support) const;
    static constexpr std::uint64_t empty = ~std::uint64_t{0};
    struct Bin {
        std::uint64_t first = empty, second = empty;  // its two smallest words
    };
    void find_minima(const std::vector<Entry>& support, std::vector<Bin>& bins) const;
    const Bin& filled(Index hash, const std::vector<Bin>& bins) const;
    template <class F>
    void for_each_hash(const Vectors& vectors, Index i, F&& f) const;

    Index top_;                         // coordinates of a support
    Index bins_, permutations_;         // bins of one permutation, a power of two
    std::vector<std::uint64_t> words_;  // (width, permutations): random rank, whose high bits are the bin; coordinate
    std::vector<Id> donors_;            // (n_hashes, attempts): bins to borrow from
};

}  // namespace hashslide
