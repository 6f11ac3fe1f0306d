// SimHash (Charikar 2002): one bit is the side of a random hyperplane on which a vector lies. Two vectors at the angle
// theta agree with chance 1 - theta / pi.
#pragma once

#include <vector>

#include "elementary_family.h"

namespace hashslide {

class SimHash : public ElementaryFamily {
public:
    double collision_probability(const float* a, const float* b) const override;

protected:
    explicit SimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);
    // x: (width, lanes); projections: (n_hashes, lanes).
    virtual void project(const float* x, float* projections) const = 0;

private:
    void hash_block(const float* vectors, Index n, Id* values) const override;
    void probe_block(const float* vectors, Index n, Id* values, Id* seconds, float* gaps) const override;
};

// Directions of independent normal entries: the law is exact. K L width multiplications a vector.
class DenseSimHash : public SimHash {
public:
    using SimHash::SimHash;
    DenseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);
    double multiplications() const override { return static_cast<double>(n_hashes() * width()); }

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void project(const float* x, float* projections) const override;

    std::vector<float> directions_;  // (n_hashes, width)
};

// Directions of a third of +-1 and two thirds of zeros (Achlioptas 2003; Li, Hastie & Church 2006): K L width / 3
// additions a vector. The law holds in the limit of many coordinates of comparable size.
class SparseSimHash : public SimHash {
public:
    SparseSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void project(const float* x, float* projections) const override;

    Index size_;                   // entries of a direction that are not zero
    std::vector<Id> coordinates_;  // (n_hashes, size)
    std::vector<Id> plus_;         // (n_hashes,): so many of them, from the first, are 1
};

// Directions are rows of H D3 H D2 H D1 with random signs D and the Walsh-Hadamard matrix H (Andoni et al. 2015):
// 3 D log2 D additions a vector for D hashes, D the width padded to a power of two. The law is as good as exact.
class FastSimHash : public SimHash {
public:
    FastSimHash(const HashFamilyConfig& config, Index width, Index neurons, std::uint64_t seed);

private:
    void draw_hashes(const CounterRng& rng, int n_threads) override;
    void project(const float* x, float* projections) const override;

    Index padded_;
    std::vector<float> signs_;  // (blocks of at most `padded` hashes, 3, padded)
};

}  // namespace hashslide
