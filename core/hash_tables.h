// Step 2: the neurons by bucket, in flat memory. One table; a neuron whose bucket changes is moved in place.
#pragma once

#include <span>
#include <vector>

#include "types.h"

namespace hashslide {

// Buckets are blocks of a power of two of one array; a block that overflows moves to one of twice the size and leaves
// its place to others. So a move costs O(1) on average, and memory stays below 4 ids a neuron, whatever the moves.
class HashTable {
public:
    // Builds the table anew. bucket_of[i] is the bucket of neuron i.
    void build(std::vector<Id> bucket_of, Index n_buckets);

    // Moves one neuron, which may be new (grow() first).
    void move(Id neuron, Id bucket);

    std::span<const Id> bucket(Id b) const {
        const Block& block = blocks_[b];
        return {pool_.data() + block.begin, static_cast<std::size_t>(block.size)};
    }
    void grow(Index n_neurons);

private:
    struct Block {
        Index begin = 0, size = 0;
        int log2_capacity = -1;  // -1: no memory yet
    };
    void insert(Id neuron, Id bucket);
    void remove(Id neuron);
    Index allocate(int log2_capacity);

    std::vector<Id> pool_;
    std::vector<Block> blocks_;
    std::vector<std::vector<Index>> free_;  // by log2 of the capacity: where blocks may be placed
    std::vector<Id> bucket_of_;
    std::vector<Index> slot_;  // place of each neuron in the pool
};

}  // namespace hashslide
