#include "hashing/hash_family.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "hashing/kmeans.h"
#include "hashing/minhash.h"
#include "hashing/simhash.h"
#include "hashing/wta.h"

namespace hashslide {

double HashFamily::collision_probability(const float*, const float*) const {
    return std::numeric_limits<double>::quiet_NaN();
}

std::unique_ptr<HashFamily> make_hash_family(const HashFamilyConfig& config, Index width, Index neurons,
                                             std::uint64_t seed) {
    const std::string& name = config.name;
    if (name == "simhash") return std::make_unique<DenseSimHash>(config, width, neurons, seed);
    if (name == "sparse_simhash") return std::make_unique<SparseSimHash>(config, width, neurons, seed);
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
