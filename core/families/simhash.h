// SimHash (Charikar 2002): one bit is the side of a random hyperplane on which a vector lies. Two vectors at the angle
// theta agree with chance 1 - theta / pi.
#pragma once

#include <cstdint>
#include <vector>

#include "families/occurrences.h"
#include "hashing/elementary_family.h"

namespace hashslide {

class SimHash : public ElementaryFamily {
public:
    double collision_probability(const float* a, const float* b) const override;

protected:
    explicit SimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);
    // projections: (n_hashes, lanes) of at most `lanes` vectors.
    virtual void project(const Vectors& x, float* projections) const = 0;

private:
    void hash_block(const Vectors& vectors, Id* values) const override;
    void probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const override;
};

// Directions of independent normal entries: the law is exact. K L multiplications an entry of a vector.
class DenseSimHash : public SimHash {
public:
    using SimHash::SimHash;
    DenseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);
    double multiplications(Index entries) const override { return static_cast<double>(n_hashes() * entries); }

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void project(const Vectors& x, float* projections) const override;

    std::vector<float> directions_;  // (width, n_hashes)
};

// Directions of a third of +-1 and two thirds of zeros (Achlioptas 2003; Li, Hastie & Church 2006): K L / 3 additions
// an entry of a vector. The law holds in the limit of many coordinates of comparable size.
class SparseSimHash : public SimHash {
public:
    SparseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void project(const Vectors& x, float* projections) const override;

    Index size_;                   // entries of a direction that are not zero
    std::vector<Id> coordinates_;  // (n_hashes, size)
    std::vector<Id> plus_;         // (n_hashes,): so many of them, from the first, are 1
    Occurrences occurrences_;      // of each coordinate in coordinates_
};

// Directions are rows of H D3 H D2 H D1 with random signs D and the Walsh-Hadamard matrix H (Andoni et al. 2015):
// 3 D log2 D additions a vector, sparse or not, for D hashes, D the width padded to a power of two. The law is as good
// as exact.
class FastSimHash : public SimHash {
public:
    FastSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);

protected:
    void project(const Vectors& x, float* projections) const override;

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;

    Index padded_;
    std::vector<float> signs_;  // (blocks of at most `padded` hashes, 3, padded)
};

// FastSimHash of one bit a table, whose codes are packed and counted instead of looked up: tables/sign_codes.h.
class SignFamily : public FastSimHash {
public:
    using FastSimHash::FastSimHash;
    // Bit t of a vector's code is its hash in table t. words: (n, (n_tables() + 63) / 64).
    void signs(const Vectors& vectors, std::uint64_t* words) const;
};

}  // namespace hashslide
