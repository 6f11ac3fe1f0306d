#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/parallel.h"
#include "bind/released.h"
#include "simd/gemm.h"
#include "simd/kernels.h"

namespace nb = nanobind;

void bind_data(nb::module_& m);
void bind_hash_families(nb::module_& m);
void bind_network(nb::module_& m);
void bind_neuron_index(nb::module_& m);
void bind_sampler(nb::module_& m);
void bind_settings(nb::module_& m);

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
    hashslide::bind_exit(m);
    hashslide::bind_lock(m);
    bind_data(m);
    bind_hash_families(m);
    bind_neuron_index(m);
    bind_sampler(m);
    bind_settings(m);
    bind_network(m);
}
