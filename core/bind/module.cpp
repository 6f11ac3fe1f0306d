#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "base/rng.h"
#include "python/arrays.h"
#include "python/names.h"
#include "python/released.h"
#include "simd/gemm.h"
#include "simd/kernels.h"
#include "simd/packing.h"

namespace nb = nanobind;
using namespace nb::literals;

void bind_data(nb::module_& m);
void bind_distributed(nb::module_& m);
void bind_estimate(nb::module_& m);
void bind_hash_families(nb::module_& m);
void bind_head(nb::module_& m);
void bind_linear_sgd(nb::module_& m);
void bind_network(nb::module_& m);
void bind_neuron_index(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_sampler(nb::module_& m);
void bind_settings(nb::module_& m);
void bind_text(nb::module_& m);

namespace {

nb::dict build_info() {
    nb::dict info;
    info["version"] = HASHSLIDE_VERSION;
    info["compiler"] = __VERSION__;
    info["isa_built"] = hashslide::built_isas();
    info["isa_supported"] = hashslide::supported_isas();
    info["isa"] = hashslide::kernels().isa;
    info["gemm"] = hashslide::gemm_library();
    const hashslide::Bf16Unit* unit = hashslide::kernels().bf16_unit();
    info["bf16_unit"] = unit ? nb::object(nb::str(unit->name)) : nb::none();
    info["available_cpus"] = hashslide::available_cpus();
    return info;
}

using Bytes = nb::ndarray<const std::int8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// The rows of a matrix, packed, whose width is no multiple of anything.
template <class Pack>
void pack_rows(const Bytes& x, Pack&& pack) {
    const hashslide::Index width = static_cast<hashslide::Index>(x.shape(1));
    std::vector<std::int8_t> row(hashslide::groups_of(width) * hashslide::group);
    for (hashslide::Index i = 0; i < static_cast<hashslide::Index>(x.shape(0)); ++i) {
        std::copy_n(x.data() + i * width, width, row.begin());
        pack(row.data(), i);
    }
}

auto products_int8(const Bytes& queries, const Bytes& labels) {
    using namespace hashslide;
    const Index n = static_cast<Index>(queries.shape(0)), groups = groups_of(static_cast<Index>(queries.shape(1)));
    const Index n_panels = (static_cast<Index>(labels.shape(0)) + panel_labels - 1) / panel_labels;
    const Index panel_bytes = groups * group * panel_labels;
    std::vector<std::int8_t> packed(n * groups * group);
    std::vector<std::int32_t> starts(n), out(n * n_panels * panel_labels);
    std::vector<std::uint8_t> panels(n_panels * panel_bytes);
    pack_rows(queries,
              [&](const std::int8_t* row, Index i) { starts[i] = pack_query(row, groups, i, n, packed.data()); });
    pack_rows(labels, [&](const std::int8_t* row, Index i) {
        pack_label(row, groups, i % panel_labels, panels.data() + i / panel_labels * panel_bytes);
    });
    kernels().products_int8(n, n_panels, groups, packed.data(), starts.data(), panels.data(), out.data(),
                            n_panels * panel_labels);
    return to_array(out);
}

// Stream by what draws from it outside of the core.
const hashslide::Names<hashslide::Stream> streams{{"kept_examples", hashslide::Stream::kept_examples},
                                                  {"replay", hashslide::Stream::replay}};

auto random_bits(std::uint64_t seed, const std::string& stream, std::uint64_t step, std::uint64_t first,
                 std::size_t n) {
    const hashslide::CounterRng rng(seed, hashslide::parse(streams, stream), step);
    std::vector<std::uint64_t> bits(n);
    for (std::size_t i = 0; i < n; ++i) bits[i] = rng.bits(first + i);
    return hashslide::to_array(bits);
}

// The instruction set is chosen when it is first needed; a wrong one arrives as hashslide.errors.CpuError.
void translate_cpu_error(const std::exception_ptr& error, void*) {
    try {
        std::rethrow_exception(error);
    } catch (const hashslide::CpuError& e) {
        PyErr_SetString(nb::module_::import_("hashslide.errors").attr("CpuError").ptr(), e.what());
    }
}

}  // namespace

NB_MODULE(_core, m) {
    m.doc() = "The C++ core of hashslide. Arguments are trusted: hashslide.network checks them.";
    m.attr("version") = HASHSLIDE_VERSION;
    nb::register_exception_translator(translate_cpu_error);
    m.def("build_info", &build_info, "How this module was built and what it runs on.");
    m.def("available_cpus", &hashslide::available_cpus,
          "CPUs granted to this process by its affinity mask and control group.");
    m.def("products_int8", &products_int8, "queries"_a, "labels"_a,
          "For tests: the integer products of the rows, (n_queries, n_labels padded to whole panels), flat.");
    m.def("random_bits", &random_bits, "seed"_a, "stream"_a, "step"_a, "first"_a, "n"_a,
          "64 random bits for each index from `first` on, which depend on nothing else than the arguments.");
    hashslide::bind_exit(m);
    hashslide::bind_lock(m);
    bind_data(m);
    bind_hash_families(m);
    bind_head(m);
    bind_neuron_index(m);
    bind_rows(m);
    bind_sampler(m);
    bind_settings(m);
    bind_network(m);
    bind_distributed(m);
    bind_estimate(m);
    bind_linear_sgd(m);
    bind_text(m);
}
