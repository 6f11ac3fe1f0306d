#include <cstdlib>

#include "simd/kernels.h"

#ifdef HASHSLIDE_HAS_AMX
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif
#ifdef HASHSLIDE_HAS_NEONBF16
#include <sys/auxv.h>
#endif

namespace hashslide {

extern const Kernels kernels_baseline, kernels_avx2, kernels_avx512, kernels_avx512bf16, kernels_amx, kernels_neonbf16;

namespace {

struct Candidate {
    const Kernels* table;
    bool supported;
};

#ifdef HASHSLIDE_HAS_AMX

// Linux wants to be asked, as the tiles enlarge the state that it saves of each thread.
bool may_use_tiles() {
#ifdef __linux__
    constexpr long ask = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool is_permitted = syscall(SYS_arch_prctl, ask, tile_data) == 0;
    return is_permitted;
#else
    return false;
#endif
}

bool has_amx() {
    constexpr unsigned bf16 = 1u << 22, tile = 1u << 24;
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & bf16) && (edx & tile) && may_use_tiles();
}

#endif

// From the plainest to the best.
std::vector<Candidate> candidates() {
    std::vector<Candidate> all{{&kernels_baseline, true}};
#ifdef HASHSLIDE_HAS_AVX2
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    all.push_back({&kernels_avx2, avx2});
#endif
#ifdef HASHSLIDE_HAS_AVX512
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    all.push_back({&kernels_avx512, avx512});
    const bool avx512bf16 = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    all.push_back({&kernels_avx512bf16, avx512bf16});
    all.push_back({&kernels_amx, avx512bf16 && has_amx()});
#endif
#ifdef HASHSLIDE_HAS_NEONBF16
    constexpr unsigned long bf16 = 1ul << 14;  // HWCAP2_BF16
    all.push_back({&kernels_neonbf16, (getauxval(AT_HWCAP2) & bf16) != 0});
#endif
    return all;
}

std::vector<std::string> names(bool only_supported) {
    std::vector<std::string> list;
    for (const Candidate& c : candidates())
        if (c.supported || !only_supported) list.emplace_back(c.table->isa);
    return list;
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& name : list) text += (text.empty() ? "" : ", ") + name;
    return text;
}

const Kernels& choose() {
    const char* wanted = std::getenv("HASHSLIDE_ISA");
    const Kernels* best = nullptr;
    for (const Candidate& c : candidates()) {
        if (!c.supported) continue;
        if (wanted && *wanted && std::string(wanted) != c.table->isa) continue;
        best = c.table;
    }
    if (!best)
        throw CpuError("HASHSLIDE_ISA is '" + std::string(wanted) + "', but this CPU and this build offer " +
                       joined(names(true)) + " (built: " + joined(names(false)) +
                       "). Unset HASHSLIDE_ISA or name one of the offered.");
    return *best;
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

std::vector<std::string> built_isas() { return names(false); }
std::vector<std::string> supported_isas() { return names(true); }

}  // namespace hashslide
