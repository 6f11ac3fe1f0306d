// Step 1: from vectors to buckets. A family hashes neurons, so that the tables can hold them, and queries, so that the
// tables can be probed for the neurons with large inner products.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "base/state.h"
#include "base/types.h"
#include "sparse/vectors.h"

namespace hashslide {

// The vectors that are hashed for the neurons of a layer; they are read block by block and never kept all at once.
class VectorSource {
public:
    virtual ~VectorSource() = default;
    virtual Index n() const = 0;
    virtual Index width() const = 0;
    // out: (n, width) rows of the vectors ids[0] .. ids[n - 1]. Safe to call from several threads.
    virtual void read(const Id* ids, Index n, float* out) const = 0;
};

// L tables of n_buckets buckets, each with a hash function of its own: K elementary hashes packed into one code.
class HashFamily {
public:
    virtual ~HashFamily() = default;

    Index width() const { return width_; }
    Index n_tables() const { return n_tables_; }
    Index n_buckets() const { return n_buckets_; }

    // Draws the random functions of a round; the same seed and round give the same functions.
    virtual void draw(std::uint64_t round, int n_threads) = 0;
    // Learned families fit their functions, after draw(), to the vectors that they are going to hash.
    virtual void learn(const VectorSource&, int /*n_threads*/) {}
    // Learned functions may follow vectors (n, width) that have been hashed again. buckets: (n, n_tables), -1: in none;
    // sizes: (n_tables, n_buckets), the number of vectors in each bucket.
    virtual void follow(const float* /*vectors*/, Index /*n*/, const Id* /*buckets*/, const Index* /*sizes*/) {}
    virtual bool follows() const { return false; }
    virtual bool takes_sparse() const { return true; }  // and does not make all vectors of a call dense at once

    // Bucket of each vector in each table. buckets: (n, n_tables). Safe to call from several threads.
    virtual void hash(const Vectors& vectors, Id* buckets) const = 0;

    // The `probes` buckets of each table that promise most to each query, best first, -1 where the table has no more.
    // buckets: (n, n_tables, probes). Safe to call from several threads.
    virtual void probe(const Vectors& queries, Index probes, Id* buckets) const = 0;

    // Multiplications that the hash of a vector of so many entries takes; signs, comparisons and minima take none.
    virtual double multiplications(Index /*entries*/) const { return 0; }
    // Those of learn() from n vectors.
    virtual double learning_multiplications(Index /*n*/) const { return 0; }

    // Chance that one elementary hash, drawn at random, agrees on two vectors: the family's law. NaN: no closed form.
    virtual double collision_probability(const float* /*a*/, const float* /*b*/) const {
        return std::numeric_limits<double>::quiet_NaN();
    }

    // What draw() cannot repeat.
    virtual State learned() const { return {}; }
    virtual void restore(const State&) {}

protected:
    HashFamily(Index width, Index n_tables, Index n_buckets)
        : width_(width), n_tables_(n_tables), n_buckets_(n_buckets) {}

    Index width_, n_tables_, n_buckets_;
};

struct HashFamilyConfig {
    std::string name = "dwta";  // simhash, sparse_simhash, fast_simhash, sign_codes, wta, dwta, minhash, kmeans
    Index tables = 50;          // L
    Index hashes = 6;           // K elementary hashes per table; kmeans: does not count
    Index bin_size = 8;         // wta, dwta: coordinates compared by one elementary hash; a power of two
    Index top = 32;             // minhash: the support of a dense vector is its so many largest coordinates
    Index cells = 0;            // kmeans: buckets of a table; 0: 2 sqrt(neurons)
};

}  // namespace hashslide
