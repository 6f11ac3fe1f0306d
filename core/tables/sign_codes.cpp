#include "tables/sign_codes.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace hashslide {
namespace {

constexpr std::uint16_t is_absent = 0xffff;  // no distance of two codes, which have fewer bits

}  // namespace

SignCodes::SignCodes(Index bits, Index n_neurons) : bits_(bits), words_((bits + 63) / 64) {
    if (bits >= is_absent) throw std::length_error("a code has at most 65,534 bits");
    grow(n_neurons);
}

void SignCodes::grow(Index n_neurons) {
    const Index blocks = (n_neurons + lanes_ - 1) / lanes_, first = absent_.size();
    codes_.resize(blocks * words_ * lanes_);
    absent_.resize(blocks * lanes_);
    std::fill(absent_.data() + first, absent_.data() + absent_.size(), is_absent);
    n_neurons_ = n_neurons;
}

Index SignCodes::set(Id neuron, const std::uint64_t* code) {
    const bool was_absent = absent_[neuron] != 0;
    absent_[neuron] = code ? 0 : is_absent;
    Index changed = 0;
    for (Index w = 0; w < words_; ++w) {
        const std::uint64_t next = code ? code[w] : 0;
        changed += std::popcount(word(neuron, w) ^ next);
        word(neuron, w) = next;
    }
    if (!code) return was_absent ? 0 : bits_;
    return was_absent ? bits_ : changed;
}

void SignCodes::distances(const std::uint64_t* queries, Index n_queries, Index first_block, Index n_blocks,
                          std::uint16_t* out) const {
    kernels().unequal_bits(n_blocks, words_, codes_.data() + first_block * words_ * lanes_, n_queries, queries, out);
    const std::uint16_t* absent = absent_.data() + first_block * lanes_;
    for (Index q = 0; q < n_queries; ++q, out += n_blocks * lanes_)
        for (Index i = 0; i < n_blocks * lanes_; ++i) out[i] |= absent[i];
}

Index SignCodes::memory_bytes() const {
    return codes_.size() * static_cast<Index>(sizeof(std::uint64_t)) +
           absent_.size() * static_cast<Index>(sizeof(std::uint16_t));
}

void SignCodes::save(State& state) const {
    std::vector<Index> codes;
    std::vector<Id> absent;
    codes.reserve(n_neurons_ * words_);
    for (Id neuron = 0; neuron < n_neurons_; ++neuron) {
        for (Index w = 0; w < words_; ++w) codes.push_back(static_cast<Index>(word(neuron, w)));
        if (absent_[neuron]) absent.push_back(neuron);
    }
    state["codes"] = std::move(codes);
    state["absent"] = std::move(absent);
}

void SignCodes::restore(const State& state) {
    const std::vector<Index>& codes = array_of<Index>(state, "codes");
    if (static_cast<Index>(codes.size()) != n_neurons_ * words_)
        throw std::invalid_argument("codes of another number of neurons or bits");
    for (Id neuron = 0; neuron < n_neurons_; ++neuron) {
        for (Index w = 0; w < words_; ++w) word(neuron, w) = static_cast<std::uint64_t>(codes[neuron * words_ + w]);
        absent_[neuron] = 0;
    }
    for (const Id neuron : array_of<Id>(state, "absent")) {
        if (neuron < 0 || neuron >= n_neurons_) throw std::invalid_argument("codes of neurons that do not exist");
        absent_[neuron] = is_absent;
    }
}

}  // namespace hashslide
