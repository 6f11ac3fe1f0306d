// What simhash, wta, dwta and minhash share: K L elementary hashes of a few bits, combined into codes and probed by
// changing those that were decided by the smallest gaps.
#pragma once

#include "base/rng.h"
#include "hashing/codes.h"
#include "hashing/hash_family.h"

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
    void hash(const Vectors& vectors, Id* buckets) const final;
    void probe(const Vectors& queries, Index probes, Id* buckets) const final;

protected:
    explicit ElementaryFamily(const ElementaryConfig& config);
    Index n_hashes() const { return codes_.tables() * codes_.hashes(); }  // K L

    virtual void draw_hashes(const CounterRng& rng, int n_threads) = 0;
    // Elementary hashes of at most `lanes` vectors. values: (n_hashes, lanes).
    virtual void hash_block(const Vectors& vectors, Id* values) const = 0;
    // The same, with each hash's second choice and the gap by which it lost; infinity: there is none.
    virtual void probe_block(const Vectors& vectors, Id* values, Id* seconds, float* gaps) const = 0;

private:
    Codes codes_;
    Stream stream_;
    std::uint64_t seed_;
};

// At most `lanes` vectors transposed, (width, lanes), in this thread's memory until the next call; see
// Kernels::transpose. O(width), for sparse vectors too.
float* transposed(const Vectors& vectors, float zero);

}  // namespace hashslide
