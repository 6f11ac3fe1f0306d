// What simhash, wta, dwta and minhash share: K L elementary hashes of a few bits, combined into codes and probed by
// changing those that were decided by the smallest gaps.
#pragma once

#include "codes.h"
#include "hash_family.h"
#include "rng.h"

namespace hashslide {

struct ElementaryConfig {
    Index width, tables, hashes, neurons;
    int bits;  // of one elementary hash
    Stream stream;
    std::uint64_t seed;
};

class ElementaryFamily : public HashFamily {
public:
    void draw(std::uint64_t round, int n_threads) final;
    void hash(const float* vectors, Index n, Id* buckets) const final;
    void probe(const float* queries, Index n, Index probes, Id* buckets) const final;

protected:
    explicit ElementaryFamily(const ElementaryConfig& config);
    Index n_hashes() const { return codes_.tables() * codes_.hashes(); }  // K L

    virtual void draw_hashes(const CounterRng& rng, int n_threads) = 0;
    // Elementary hashes of n <= lanes vectors. values: (n_hashes, lanes).
    virtual void hash_block(const float* vectors, Index n, Id* values) const = 0;
    // The same, with each hash's second choice and the gap by which it lost; infinity: there is none.
    virtual void probe_block(const float* vectors, Index n, Id* values, Id* seconds, float* gaps) const = 0;

private:
    Codes codes_;
    Stream stream_;
    std::uint64_t seed_;
};

// The vectors transposed, (width, lanes), in this thread's memory until the next call; see Kernels::transpose.
float* transposed(const float* vectors, Index n, Index width, float zero);

}  // namespace hashslide
