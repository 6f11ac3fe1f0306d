// A hash family that the user wrote in Python.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "hashing/hash_family.h"

namespace hashslide {

// Calls an object with the attributes n_tables and n_buckets and the methods draw(round), hash(vectors) and
// probe(queries, probes); A family that learns also has learn(vectors), which receives all vectors at once, learned(),
// the float32 vector that is saved with a model, and restore(values). Every call holds the GIL, so calls of several
// threads take turns. What comes back is checked; std::invalid_argument says what was found.
class PythonFamily : public HashFamily {
public:
    PythonFamily(nanobind::object object, Index width);
    ~PythonFamily() override;

    void draw(std::uint64_t round, int n_threads) override;
    void learn(const VectorSource& source, int n_threads) override;
    State learned() const override;
    void restore(const State& state) override;
    bool takes_sparse() const override { return false; }
    void hash(const Vectors& vectors, Id* buckets) const override;
    void probe(const Vectors& queries, Index probes, Id* buckets) const override;

private:
    nanobind::object object_;
};

}  // namespace hashslide
