#include "estimate/hash_sum.h"

#include <numbers>
#include <numeric>

#include "base/parallel.h"
#include "base/rng.h"

namespace hashslide {
namespace {

constexpr Index first_tables = 32;  // they say how many others are needed
constexpr double safety = 1.2;
constexpr double nothing = -std::numeric_limits<double>::infinity();

// Two normal numbers of one counter each (Box & Muller 1958).
void fill_normal(const CounterRng& rng, std::vector<float>& out) {
    for (std::size_t i = 0; i < out.size(); i += 2) {
        const double u = (static_cast<double>(rng.bits(i) >> 11) + 1.0) * 0x1p-53;
        const double angle = 2 * std::numbers::pi * static_cast<double>(rng.bits(i + 1) >> 11) * 0x1p-53;
        const double radius = std::sqrt(-2 * std::log(u));
        out[i] = static_cast<float>(radius * std::cos(angle));
        if (i + 1 < out.size()) out[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
}

std::uint64_t code_of(const float* vector, Index width, Index hashes, double bin, const float* directions,
                      const float* offsets) {
    std::uint64_t code = 0;
    for (Index k = 0; k < hashes; ++k) {
        const double shifted = kernels().dot(width, directions + k * width, vector) + offsets[k];
        code = mix(code ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(std::floor(shifted / bin))));
    }
    return code;
}

class Estimator {
public:
    Estimator(const DistanceTables& tables, const float* points, Index n, const double* weights,
              const SumConfig& config)
        : tables_(tables), points_(points), n_(n), weights_(weights), config_(config) {}

    SumEstimate operator()(const float* query) {
        used_ = 0;
        const Index pilot = std::min(first_tables, tables_.tables / 2);
        read(query, 0, pilot);
        const Moments first = moments();
        const double ratio =
            first.log_mean == nothing ? 1.0 : std::exp(first.log_error - first.log_mean) / config_.error;
        const double needed = safety * ratio * ratio * static_cast<double>(pilot);
        const Index possible = tables_.tables - pilot;
        read(query, pilot, pilot + static_cast<Index>(std::clamp(needed, 2.0, static_cast<double>(possible))));
        const Moments found = moments();
        const bool is_empty = found.log_mean == nothing;
        const double infinite = std::numeric_limits<double>::infinity();
        const double error = is_empty ? infinite : std::exp(found.log_error - found.log_mean);
        return {found.log_mean, error, used_};
    }

private:
    struct Moments {
        double log_mean, log_error;
    };

    void read(const float* query, Index from, Index to) {
        logs_.clear();
        const CounterRng rng(config_.seed, Stream::estimate, 3);
        for (Index t = from; t < to; ++t) {
            const Index first_hash = t * tables_.hashes;
            const std::uint64_t code =
                code_of(query, tables_.width, tables_.hashes, tables_.bin,
                        tables_.directions + first_hash * tables_.width, tables_.offsets + first_hash);
            used_ += tables_.hashes;
            const std::uint64_t* codes = tables_.codes + t * tables_.size;
            const auto [low, high] = std::equal_range(codes, codes + tables_.size, code);
            logs_.push_back(low == high ? nothing : member(query, t, low - codes, high - low, rng));
        }
    }

    double member(const float* query, Index t, Index first, Index size, const CounterRng& rng) {
        const Id id = tables_.ids[t * tables_.size + first + rng.below(t, size)];
        const float* point = points_ + id * tables_.width;
        ++used_;
        const double distance = std::sqrt(static_cast<double>(kernels().squared_distance(tables_.width, query, point)));
        const double chance = std::pow(agreement(distance / tables_.bin), static_cast<double>(tables_.hashes));
        const double share = static_cast<double>(size) / static_cast<double>(tables_.size) * static_cast<double>(n_);
        const double weight = weights_ ? weights_[id + 1] - weights_[id] : 1.0;
        return log_term(config_.term, tables_.width, query, point) + std::log(weight * share / chance);
    }

    Moments moments() const {
        const double largest = *std::max_element(logs_.begin(), logs_.end()), m = static_cast<double>(logs_.size());
        if (largest == nothing) return {nothing, nothing};
        double sum = 0, squares = 0;
        for (const double x : logs_) {
            const double value = std::exp(x - largest);
            sum += value;
            squares += value * value;
        }
        const double variance = std::max(0.0, squares - sum * sum / m) / (m * (m - 1));
        return {largest + std::log(sum / m), largest + 0.5 * std::log(variance)};
    }

    const DistanceTables& tables_;
    const float* points_;
    Index n_;
    const double* weights_;
    const SumConfig& config_;
    Index used_ = 0;
    std::vector<double> logs_;  // by table
};

}  // namespace

double agreement(double ratio) {
    if (ratio < 1e-9) return 1.0;
    const double tail = 0.5 * std::erfc(1.0 / (ratio * std::numbers::sqrt2));
    return 1.0 - 2.0 * tail + 2.0 * ratio / std::sqrt(2 * std::numbers::pi) * std::expm1(-0.5 / (ratio * ratio));
}

DistanceTableArrays make_distance_tables(const float* points, Index n, Index width, Index tables, Index hashes,
                                         double bin, Index size, std::uint64_t seed, int n_threads) {
    DistanceTableArrays out;
    out.directions.resize(tables * hashes * width);
    fill_normal(CounterRng(seed, Stream::estimate, 1), out.directions);
    const CounterRng uniform(seed, Stream::estimate, 2);
    for (Index i = 0; i < tables * hashes; ++i) out.offsets.push_back(static_cast<float>(bin * uniform.uniform(i)));
    out.codes.resize(tables * size);
    out.ids.resize(tables * size);
    parallel_for(n_threads, 0, tables, 1, [&](Index t, Index) {
        std::vector<std::pair<std::uint64_t, Id>> members(size);
        const CounterRng rng(seed, Stream::estimate, 4 + t);
        for (Index i = 0; i < size; ++i) {  // one point of each of as many equal stretches
            const Index first = i * n / size, last = (i + 1) * n / size;
            const Index chosen = first + rng.below(i, last - first);
            members[i] = {code_of(points + chosen * width, width, hashes, bin, &out.directions[t * hashes * width],
                                  &out.offsets[t * hashes]),
                          static_cast<Id>(chosen)};
        }
        std::ranges::sort(members);
        for (Index i = 0; i < size; ++i) {
            out.codes[t * size + i] = members[i].first;
            out.ids[t * size + i] = members[i].second;
        }
    });
    return out;
}

void estimate_sums_by_hashing(const DistanceTables& tables, const float* points, Index n, const double* weights,
                              const SumConfig& config, const float* queries, Index n_queries, SumEstimate* out,
                              int n_threads) {
    parallel_for(n_threads, 0, n_queries, 16, [&](Index first, Index last) {
        Estimator estimator(tables, points, n, weights, config);
        for (Index q = first; q < last; ++q) out[q] = estimator(queries + q * tables.width);
    });
}

}  // namespace hashslide
