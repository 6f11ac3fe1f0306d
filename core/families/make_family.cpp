#include "families/make_family.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "families/kmeans.h"
#include "families/minhash.h"
#include "families/simhash.h"
#include "families/wta.h"

namespace hashslide {

std::unique_ptr<HashFamily> make_hash_family(const HashFamilyConfig& config, Index width, Index neurons,
                                             std::uint64_t seed) {
    const std::string& name = config.name;
    if (name == "simhash") return std::make_unique<DenseSimHash>(config, width, neurons, seed);
    if (name == "sparse_simhash") return std::make_unique<SparseSimHash>(config, width, neurons, seed);
    if (name == "sign_codes") return std::make_unique<SignFamily>(config, width, neurons, seed);
    if (name == "fast_simhash") return std::make_unique<FastSimHash>(config, width, neurons, seed);
    if (name == "wta" || name == "dwta")
        return std::make_unique<WinnerTakesAll>(config, name == "dwta", width, neurons, seed);
    if (name == "minhash") return std::make_unique<MinHash>(config, width, neurons, seed);
    if (name == "kmeans") {
        const Index cells = config.cells > 0 ? config.cells : static_cast<Index>(2 * std::sqrt(neurons));
        return std::make_unique<KMeansCells>(std::clamp<Index>(cells, 1, neurons), width, config.tables, seed);
    }
    throw std::invalid_argument("unknown hash family: " + name);
}

}  // namespace hashslide
