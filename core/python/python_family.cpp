#include "python/python_family.h"

#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/parallel.h"

namespace nb = nanobind;

namespace hashslide {
namespace {

constexpr Index grain = 1024;
constexpr Index max_size = std::numeric_limits<Id>::max();

[[noreturn]] void refuse(const std::string& what, const std::string& found, const std::string& accepted) {
    throw std::invalid_argument("the hash family's " + what + " is " + found + ", accepted is " + accepted + ".");
}

std::string text(nb::handle object) { return nb::str(object).c_str(); }

Index positive(const nb::object& object, const char* name) {
    const nb::object value = nb::getattr(object, name, nb::none());
    const nb::object integer = nb::steal(PyNumber_Index(value.ptr()));  // NumPy's integers as well
    if (!integer.is_valid()) PyErr_Clear();
    Index number = 0;
    if (!integer.is_valid() || !nb::try_cast(integer, number) || number < 1 || number > max_size)
        refuse(name, nb::repr(value).c_str(), "an integer from 1 to " + std::to_string(max_size));
    return number;
}

// A copy with all zeros, which Python may keep.
nb::object matrix(const Vectors& vectors) {
    const std::size_t n = static_cast<std::size_t>(vectors.n), width = static_cast<std::size_t>(vectors.width);
    float* copy = new float[n * width];
    const nb::capsule owner(copy, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    vectors.copy(copy);
    return nb::cast(nb::ndarray<nb::numpy, float>(copy, {n, width}, owner));
}

// Copies the buckets of `what` after checking that they are integers of the shape in lowest .. n_buckets - 1.
void take(const std::string& what, const nb::object& result, const std::vector<Index>& shape, Index lowest,
          Index n_buckets, Id* buckets) {
    const nb::module_ numpy = nb::module_::import_("numpy");
    const nb::object array = numpy.attr("asarray")(result);
    const std::string kind = text(array.attr("dtype").attr("kind"));
    if (kind != "i" && kind != "u") refuse(what, "of type " + text(array.attr("dtype")), "an array of integers");
    nb::list expected;
    for (const Index s : shape) expected.append(s);
    if (!array.attr("shape").equal(nb::tuple(expected)))
        refuse(what, "of shape " + text(array.attr("shape")), "the shape " + text(nb::tuple(expected)));
    const auto numbers = nb::cast<nb::ndarray<const Index, nb::c_contig, nb::device::cpu>>(
        numpy.attr("ascontiguousarray")(array, "int64"));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const Index b = numbers.data()[i];
        if (b < lowest || b >= n_buckets)
            refuse(what, "the bucket " + std::to_string(b),
                   "a bucket from " + std::to_string(lowest) + " to " + std::to_string(n_buckets - 1));
        buckets[i] = static_cast<Id>(b);
    }
}

}  // namespace

PythonFamily::PythonFamily(nb::object object, Index width)
    : HashFamily(width, positive(object, "n_tables"), positive(object, "n_buckets")), object_(std::move(object)) {}

PythonFamily::~PythonFamily() {
    const nb::gil_scoped_acquire gil;
    object_.reset();
}

void PythonFamily::draw(std::uint64_t round, int) {
    const nb::gil_scoped_acquire gil;
    object_.attr("draw")(round);
}

void PythonFamily::learn(const VectorSource& source, int n_threads) {
    {
        const nb::gil_scoped_acquire gil;
        if (!nb::hasattr(object_, "learn")) return;
    }
    std::vector<Id> ids(source.n());
    std::iota(ids.begin(), ids.end(), 0);
    std::vector<float> rows(source.n() * width());
    parallel_for(n_threads, 0, source.n(), grain, [&](Index first, Index last) {
        source.read(ids.data() + first, last - first, rows.data() + first * width());
    });
    const nb::gil_scoped_acquire gil;
    object_.attr("learn")(matrix(Vectors::dense(rows.data(), source.n(), width())));
}

State PythonFamily::learned() const {
    const nb::gil_scoped_acquire gil;
    if (!nb::hasattr(object_, "learned")) return {};
    const nb::module_ numpy = nb::module_::import_("numpy");
    const auto values = nb::cast<nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>>(
        numpy.attr("ascontiguousarray")(object_.attr("learned")(), "float32"));
    return {{"learned", std::vector<float>(values.data(), values.data() + values.size())}};
}

void PythonFamily::restore(const State& state) {
    const nb::gil_scoped_acquire gil;
    if (!nb::hasattr(object_, "restore")) return;
    const std::vector<float>& values = array_of<float>(state, "learned");
    const nb::ndarray<nb::numpy, const float> view(values.data(), {values.size()});
    object_.attr("restore")(nb::cast(view, nb::rv_policy::copy));
}

void PythonFamily::hash(const Vectors& vectors, Id* buckets) const {
    const nb::gil_scoped_acquire gil;
    take("hash()", object_.attr("hash")(matrix(vectors)), {vectors.n, n_tables()}, 0, n_buckets(), buckets);
}

void PythonFamily::probe(const Vectors& queries, Index probes, Id* buckets) const {
    const nb::gil_scoped_acquire gil;
    take("probe()", object_.attr("probe")(matrix(queries), probes), {queries.n, n_tables(), probes}, -1, n_buckets(),
         buckets);
}

}  // namespace hashslide
