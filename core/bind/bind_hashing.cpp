// Python's side of the hash families, for the tests and for families written in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "families/make_family.h"
#include "python/arrays.h"
#include "python/python_family.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

constexpr Index grain = 512;

using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Buckets = nb::ndarray<nb::numpy, Id, nb::c_contig>;

// Rows that lie in memory.
class Rows : public VectorSource {
public:
    explicit Rows(const Matrix& m) : m_(m) {}
    Index n() const override { return static_cast<Index>(m_.shape(0)); }
    Index width() const override { return static_cast<Index>(m_.shape(1)); }
    void read(const Id* ids, Index n, float* out) const override {
        for (Index i = 0; i < n; ++i) std::copy_n(m_.data() + ids[i] * width(), width(), out + i * width());
    }

private:
    const Matrix& m_;
};

std::shared_ptr<HashFamily> hash_family(const std::string& name, Index width, Index neurons, Index tables, Index hashes,
                                        Index bin_size, Index top, Index cells, std::uint64_t seed) {
    return make_hash_family({name, tables, hashes, bin_size, top, cells}, width, neurons, seed);
}

std::shared_ptr<HashFamily> python_family(nb::object object, Index width) {
    return std::make_shared<PythonFamily>(std::move(object), width);
}

void check_width(const HashFamily& family, std::size_t width) {
    if (static_cast<Index>(width) != family.width()) throw std::invalid_argument("vectors of another width");
}

Buckets fresh(std::initializer_list<std::size_t> shape) {
    std::size_t size = 1;
    for (const std::size_t s : shape) size *= s;
    Id* block = new Id[size];
    return Buckets(block, shape, nb::capsule(block, [](void* p) noexcept { delete[] static_cast<Id*>(p); }));
}

void draw(HashFamily& family, std::uint64_t round, int n_threads) {
    released([&] { family.draw(round, n_threads); });
}

void learn(HashFamily& family, const Matrix& vectors, int n_threads) {
    check_width(family, vectors.shape(1));
    released([&] { family.learn(Rows(vectors), n_threads); });
}

Buckets hash(const HashFamily& family, const VectorsIn& given, int n_threads) {
    const Vectors vectors = vectors_of(given, family.width());
    Buckets out = fresh({static_cast<std::size_t>(vectors.n), static_cast<std::size_t>(family.n_tables())});
    Id* buckets = out.data();
    released([&] {
        parallel_for(n_threads, 0, vectors.n, grain, [&](Index first, Index last) {
            family.hash(vectors.part(first, last), buckets + first * family.n_tables());
        });
    });
    return out;
}

Buckets probe(const HashFamily& family, const VectorsIn& given, Index probes, int n_threads) {
    const Vectors queries = vectors_of(given, family.width());
    Buckets out = fresh({static_cast<std::size_t>(queries.n), static_cast<std::size_t>(family.n_tables()),
                         static_cast<std::size_t>(probes)});
    Id* buckets = out.data();
    released([&] {
        parallel_for(n_threads, 0, queries.n, grain, [&](Index first, Index last) {
            family.probe(queries.part(first, last), probes, buckets + first * family.n_tables() * probes);
        });
    });
    return out;
}

double collision_probability(const HashFamily& family, const Vector& a, const Vector& b) {
    check_width(family, a.shape(0));
    check_width(family, b.shape(0));
    return family.collision_probability(a.data(), b.data());
}

}  // namespace

void bind_hash_families(nb::module_& m) {
    nb::class_<HashFamily>(m, "HashFamily")
        .def_prop_ro("width", &HashFamily::width)
        .def_prop_ro("n_tables", &HashFamily::n_tables)
        .def_prop_ro("n_buckets", &HashFamily::n_buckets)
        .def("draw", &draw, "round"_a, "n_threads"_a = 1)
        .def("learn", &learn, "vectors"_a, "n_threads"_a = 1)
        .def("hash", &hash, "vectors"_a, "n_threads"_a = 1,
             "Buckets (n, n_tables) of vectors: (n, width), or (indptr, indices, data) of a CSR matrix.")
        .def("probe", &probe, "queries"_a, "probes"_a, "n_threads"_a = 1,
             "The best buckets (n, n_tables, probes) for queries, given like the vectors of hash(); -1: no more.")
        .def("collision_probability", &collision_probability, "a"_a, "b"_a);
    m.def("hash_family", &hash_family, "name"_a, "width"_a, "neurons"_a, "tables"_a = 50, "hashes"_a = 6,
          "bin_size"_a = 8, "top"_a = 32, "cells"_a = 0, "seed"_a = 0);
    m.def("python_family", &python_family, "object"_a, "width"_a, "A family that calls a Python object.");
}
