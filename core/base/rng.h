// Counter-based random numbers: a value depends on (seed, stream, step, index) alone, never on the order of the
// calls or on the thread, so the same seed gives the same model on any number of threads.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace hashslide {

// What a random number is for; each purpose draws from its own stream.
enum class Stream : std::uint64_t {
    input_weight,
    input_dropout,
    hidden_dropout,
    uniform_negatives,
    cells,
    simhash,
    wta,
    minhash,
    reservoir,
    sampler,
    ranker,
    input_rounding,
    rounding,
    ranker_rounding,
    kept_examples,
    replay,
    wire,
    estimate,
    examples
};

// Finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection in which every input bit reaches every output bit.
inline std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

class CounterRng {
public:
    CounterRng(std::uint64_t seed, Stream stream, std::uint64_t step)
        : key_(mix(mix(mix(seed) ^ static_cast<std::uint64_t>(stream)) ^ step)) {}

    std::uint64_t bits(std::uint64_t index) const { return mix(key_ ^ mix(index)); }

    // Uniform in [0, 1) on a grid of 2^-24, exact in float.
    float uniform(std::uint64_t index) const { return static_cast<float>(bits(index) >> 40) * 0x1p-24f; }

    // Uniform in 0 .. bound-1 by multiply-shift; the bias is below bound / 2^64 (Lemire 2019).
    Index below(std::uint64_t index, Index bound) const {
        return static_cast<Index>(
            (static_cast<unsigned __int128>(bits(index)) * static_cast<unsigned __int128>(bound)) >> 64);
    }

private:
    std::uint64_t key_;
};

}  // namespace hashslide
