#include "hashing/codes.h"

#include <algorithm>
#include <bit>

#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr std::uint64_t counter = std::uint64_t{1} << 62;  // the families' own draws stay below

Index bits_for(Index neurons) { return std::bit_width(static_cast<std::uint64_t>(std::max<Index>(neurons, 1) - 1)); }

}  // namespace

Codes::Codes(Index tables, Index hashes, int bits_per_hash, Index neurons)
    : tables_(tables),
      hashes_(hashes),
      bits_per_hash_(bits_per_hash),
      bits_(static_cast<int>(std::min(hashes * bits_per_hash, bits_for(neurons)))),
      shift_(0),
      folds_(hashes * bits_per_hash > bits_),
      multipliers_(tables * hashes),
      offsets_(tables) {
    if (folds_ && bits_ > 0) shift_ = 64 - bits_;
}

void Codes::draw(const CounterRng& rng) {
    if (folds_ && bits_ == 0) return;  // one bucket: all multipliers stay 0
    for (Index i = 0; i < tables_ * hashes_; ++i)
        multipliers_[i] = folds_ ? rng.bits(counter + i) : std::uint64_t{1} << (i % hashes_ * bits_per_hash_);
    for (Index t = 0; t < tables_; ++t) offsets_[t] = folds_ ? rng.bits(counter + tables_ * hashes_ + t) : 0;
}

void Codes::combine(const Id* values, std::uint64_t* sums) const {
    kernels().combine(tables_, hashes_, multipliers_.data(), offsets_.data(), values, sums);
}

}  // namespace hashslide
