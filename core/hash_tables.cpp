#include "hash_tables.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace hashslide {

void HashTable::build(std::vector<Id> bucket_of, Index n_buckets) {
    bucket_of_ = std::move(bucket_of);
    slot_.assign(bucket_of_.size(), 0);
    blocks_.assign(n_buckets, Block{});
    free_.clear();
    for (const Id b : bucket_of_)
        if (b >= 0) ++blocks_[b].size;
    Index end = 0;
    for (Block& block : blocks_) {
        if (block.size == 0) continue;
        block.log2_capacity = std::bit_width(static_cast<std::uint64_t>(block.size - 1));
        block.begin = end;
        end += Index{1} << block.log2_capacity;
        block.size = 0;
    }
    pool_.assign(end, 0);
    for (std::size_t neuron = 0; neuron < bucket_of_.size(); ++neuron)
        if (bucket_of_[neuron] >= 0) insert(static_cast<Id>(neuron), bucket_of_[neuron]);
}

void HashTable::grow(Index n_neurons) {
    bucket_of_.resize(n_neurons, -1);
    slot_.resize(n_neurons, 0);
}

void HashTable::move(Id neuron, Id bucket) {
    if (bucket_of_[neuron] == bucket) return;
    if (bucket_of_[neuron] >= 0) remove(neuron);
    insert(neuron, bucket);
}

// The last neuron of the bucket takes the place of the one that leaves.
void HashTable::remove(Id neuron) {
    Block& block = blocks_[bucket_of_[neuron]];
    const Id last = pool_[block.begin + --block.size];
    pool_[slot_[neuron]] = last;
    slot_[last] = slot_[neuron];
}

void HashTable::insert(Id neuron, Id bucket) {
    Block& block = blocks_[bucket];
    if (block.log2_capacity < 0 || block.size == Index{1} << block.log2_capacity) {
        const Index place = allocate(block.log2_capacity + 1);
        for (Index i = 0; i < block.size; ++i) {
            pool_[place + i] = pool_[block.begin + i];
            slot_[pool_[place + i]] = place + i;
        }
        if (block.log2_capacity >= 0) free_[block.log2_capacity].push_back(block.begin);
        block.begin = place;
        ++block.log2_capacity;
    }
    slot_[neuron] = block.begin + block.size;
    pool_[block.begin + block.size++] = neuron;
    bucket_of_[neuron] = bucket;
}

Index HashTable::allocate(int log2_capacity) {
    if (static_cast<std::size_t>(log2_capacity) >= free_.size()) free_.resize(log2_capacity + 1);
    std::vector<Index>& places = free_[log2_capacity];
    if (!places.empty()) {
        const Index place = places.back();
        places.pop_back();
        return place;
    }
    const Index place = static_cast<Index>(pool_.size());
    pool_.resize(pool_.size() + (std::size_t{1} << log2_capacity));
    return place;
}

}  // namespace hashslide
