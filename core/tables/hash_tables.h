// Step 2: the neurons by bucket, in flat memory; a neuron whose bucket changes is moved in place.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/prefetch.h"
#include "base/rng.h"
#include "base/types.h"

namespace hashslide {

// Which members of a full bucket a look-up sees.
//   fifo       the last ones that came
//   reservoir  a uniform sample without replacement, whatever came and went: the members are kept in uniformly random
//              order, of which a look-up sees the beginning
enum class BucketPolicy { fifo, reservoir };

// One table. Every neuron is in one bucket and stays there however full it is; look-ups see at most `bucket_size`
// members. A bucket of s members is a block of bit_ceil(s) ids of one array. A block that overflows moves to one of
// twice the size, one that has become half empty gives up its second half, and free blocks are used again. When more
// than a quarter of the array is free and there is no block of the right size, the array is compacted. So a move costs
// O(size of the two buckets) on average, and memory stays below 3 ids per neuron besides 4 bytes per neuron and 8 per
// bucket, whatever the moves.
class HashTable {
public:
    // bucket_size: members that a look-up sees; 0: all. key: of the random order in which reservoirs keep their
    // members.
    HashTable(Index n_buckets, BucketPolicy bucket_policy, Index bucket_size, std::uint64_t key);

    // To build the table anew, write the bucket of each neuron (-1: none) into assign(n_neurons), then build().
    std::span<Id> assign(Index n_neurons);
    void build();
    // Instead of build(): back to the buckets in which the neurons are.
    void take_back(Index n_neurons);
    // Moves one neuron, which may be new (grow() first), to a bucket or out of all of them (-1); false if it is there.
    bool move(Id neuron, Id bucket);
    void grow(Index n_neurons) { bucket_of_.resize(n_neurons, -1); }

    // What a look-up of the bucket sees.
    std::span<const Id> bucket(Id b) const {
        const Block block = blocks_[b];
        const Index seen = std::min<Index>(block.size, bucket_size_);
        return {pool_.data() + block.begin + (bucket_policy_ == BucketPolicy::fifo ? block.size - seen : 0),
                static_cast<std::size_t>(seen)};
    }
    // Asks for the memory that bucket(b) reads.
    void prefetch(Id b) const { hashslide::prefetch(&blocks_[b]); }
    Index size(Id b) const { return blocks_[b].size; }  // all members of the bucket
    Index n_buckets() const { return static_cast<Index>(blocks_.size()); }
    std::span<const Id> buckets() const { return bucket_of_; }  // of all neurons; -1: none

    // The members of all buckets, bucket by bucket, in their order: with buckets() and moves() all that is needed to
    // restore the table's behaviour bit for bit.
    std::vector<Id> members() const;
    void restore(std::span<const Id> buckets, std::span<const Id> members, std::uint64_t moves);
    std::uint64_t moves() const { return moves_; }  // so far: the counter of the reservoir's random numbers

    Index memory_bytes() const;

private:
    struct Block {
        std::uint32_t begin = 0, size = 0;
    };
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr int n_classes = 32;  // of blocks: 2^0 .. 2^31 ids

    struct Placed {
        Id bucket, neuron;
    };
    struct Sorted {
        std::unique_ptr<Placed[]> items;
        Index size;
        std::span<const Placed> span() const { return {items.get(), static_cast<std::size_t>(size)}; }
    };
    Sorted by_range() const;
    void lay_out(std::span<const Placed> neurons);
    void append(Block& block, Id neuron, std::uint64_t counter);
    void insert(Id neuron, Id bucket);
    void remove(Id neuron);
    std::uint32_t allocate(int log2_capacity);
    void release(std::uint32_t begin, int log2_capacity);
    void make_room(Index ids);
    void compact(Index room);

    BucketPolicy bucket_policy_;
    Index bucket_size_;
    bool shuffled_;
    CounterRng rng_;
    std::uint64_t moves_ = 0;
    std::vector<Id> bucket_of_, pool_;
    std::vector<Block> blocks_;
    // Free blocks by log2 of their size: the first id of each is the place of the next one.
    std::array<std::uint32_t, n_classes> free_;
    Index n_free_ = 0;  // ids in free blocks
};

}  // namespace hashslide
