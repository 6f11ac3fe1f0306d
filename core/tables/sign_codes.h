// One bit of each table for every neuron, packed: all that counting needs of tables of two buckets, in a 64th of their
// memory. A neuron lies in the bucket of a query in as many tables as their codes have equal bits, and these are
// counted by XOR and population count, 8 words with each instruction where the CPU can: no list of members is read.
#pragma once

#include <cstdint>
#include <vector>

#include "base/memory.h"
#include "base/state.h"
#include "base/types.h"
#include "simd/kernels.h"

namespace hashslide {

class SignCodes {
public:
    explicit SignCodes(Index bits, Index n_neurons = 0);

    Index bits() const { return bits_; }
    Index words() const { return words_; }
    Index n_neurons() const { return n_neurons_; }
    Index n_blocks() const { return codes_.size() / (words_ * lanes_); }  // of `code_lanes` neurons

    // Sets the code (words,) of a neuron; null: it is in no bucket. Returns how many bits have changed. Threads may set
    // different neurons at once.
    Index set(Id neuron, const std::uint64_t* code);
    // In how many tables each query (n_queries, words) and each neuron of some blocks are apart, (n_queries, n_blocks *
    // code_lanes); more than there are for a neuron in no bucket.
    void distances(const std::uint64_t* queries, Index n_queries, Index first_block, Index n_blocks,
                   std::uint16_t* out) const;

    void grow(Index n_neurons);  // the new ones are in no bucket
    Index memory_bytes() const;
    void save(State& state) const;
    void restore(const State& state);

private:
    static constexpr Index lanes_ = code_lanes;

    std::uint64_t& word(Id neuron, Index w) {
        return codes_[(neuron / lanes_ * words_ + w) * lanes_ + neuron % lanes_];
    }
    const std::uint64_t& word(Id neuron, Index w) const { return const_cast<SignCodes*>(this)->word(neuron, w); }

    Index bits_, words_, n_neurons_ = 0;
    Array<std::uint64_t> codes_;   // (blocks, words, lanes)
    Array<std::uint16_t> absent_;  // of each neuron: what is added to its distance; 0 for those in buckets
};

}  // namespace hashslide
