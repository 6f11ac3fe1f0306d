// Winner takes all: one hash is the place of the largest of a few random coordinates, so it depends on their order
// alone.
#pragma once

#include <vector>

#include "families/occurrences.h"
#include "hashing/elementary_family.h"

namespace hashslide {

// Permutations of the coordinates are cut into bins of bin_size, one bin a hash of log2(bin_size) bits (Yagnik,
// Strelow, Ross & Lin 2011). Densified (Chen & Shrivastava 2018): zeros are absent, and a bin without any present
// coordinate borrows the place of another bin, chosen by a hash of its own number. K L bin_size comparisons a vector;
// densified and sparse K L bin_size / width an entry, and the bins that borrow.
class WinnerTakesAll : public ElementaryFamily {
public:
    WinnerTakesAll(const HashFamilyConfig& config, bool densified, Index width, Index neurons, std::uint64_t seed);

    double collision_probability(const float* a, const float* b) const override;

private:
    bool below(float a, float b) const;
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void hash_block(const Vectors& vectors, Id* values) const override;
    void probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const override;
    void find_present(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const;
    Index donor(Index bin, const Id* places) const;
    void densify(Index lane, Id* places, Id* seconds, float* gaps) const;
    float absent() const;

    Index bin_size_;
    bool densified_;
    std::vector<Id> coordinates_;  // (n_hashes, bin_size)
    Occurrences occurrences_;      // densified: of each coordinate in coordinates_
    std::vector<Id> donors_;       // (n_hashes, attempts): bins to borrow from
};

}  // namespace hashslide
