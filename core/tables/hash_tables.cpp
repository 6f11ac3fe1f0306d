#include "tables/hash_tables.h"

#include <bit>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace hashslide {
namespace {

// log2 of the size of the block that holds `size` >= 1 ids.
int log2_capacity(std::uint32_t size) { return std::bit_width(size - 1); }

// Position of an id that is there. The inner loop has no exit, so that it is vectorised.
Index find(const Id* ids, Index n, Id id) {
    constexpr Index chunk = 32;
    Index first = 0;
    for (bool here = false; n - first >= chunk; first += chunk) {
        for (Index i = 0; i < chunk; ++i) here |= ids[first + i] == id;
        if (here) break;
    }
    while (ids[first] != id) ++first;
    return first;
}

}  // namespace

HashTable::HashTable(Index n_buckets, BucketPolicy bucket_policy, Index bucket_size, std::uint64_t key)
    : bucket_policy_(bucket_policy),
      bucket_size_(bucket_size > 0 ? bucket_size : std::numeric_limits<Index>::max()),
      shuffled_(bucket_policy == BucketPolicy::reservoir && bucket_size > 0),
      rng_(key, Stream::reservoir, 0),
      blocks_(n_buckets) {
    free_.fill(none);
}

std::span<Id> HashTable::assign(Index n_neurons) {
    bucket_of_.resize(n_neurons, -1);
    return bucket_of_;
}

// A counting sort by bucket, of neurons that have been sorted into ranges of buckets before, so that each range's
// headers and blocks stay in the fastest cache.
void HashTable::build() {
    const Sorted sorted = by_range();
    lay_out(sorted.span());
    for (const Placed& p : sorted.span())
        append(blocks_[p.bucket], p.neuron, moves_ + static_cast<std::uint64_t>(p.neuron));
    moves_ += bucket_of_.size();
}

HashTable::Sorted HashTable::by_range() const {
    constexpr int bits = 6;
    const int shift = std::max(0, static_cast<int>(std::bit_width(blocks_.size() - 1)) - bits);
    std::array<Index, (1 << bits) + 1> next{};
    for (const Id b : bucket_of_)
        if (b >= 0) ++next[(b >> shift) + 1];
    std::partial_sum(next.begin(), next.end(), next.begin());
    Sorted sorted{std::make_unique_for_overwrite<Placed[]>(next.back()), next.back()};
    for (std::size_t i = 0; i < bucket_of_.size(); ++i)
        if (const Id b = bucket_of_[i]; b >= 0) sorted.items[next[b >> shift]++] = {b, static_cast<Id>(i)};
    return sorted;
}

void HashTable::take_back(Index n_neurons) {
    bucket_of_.assign(n_neurons, -1);
    for (Id b = 0; b < n_buckets(); ++b)
        for (Index i = 0; i < size(b); ++i) bucket_of_[pool_[blocks_[b].begin + i]] = b;
}

void HashTable::restore(std::span<const Id> buckets, std::span<const Id> members, std::uint64_t moves) {
    for (const Id b : buckets)
        if (b < -1 || b >= n_buckets()) throw std::invalid_argument("a neuron in a bucket that does not exist");
    bucket_of_.assign(buckets.begin(), buckets.end());
    lay_out(by_range().span());
    std::vector<bool> placed(buckets.size());
    for (const Id neuron : members) {
        if (neuron < 0 || neuron >= static_cast<Id>(buckets.size()) || buckets[neuron] < 0 || placed[neuron])
            throw std::invalid_argument("the members of a hash table do not fit its buckets");
        placed[neuron] = true;
        Block& block = blocks_[bucket_of_[neuron]];
        pool_[block.begin + block.size++] = neuron;
    }
    if (static_cast<std::ptrdiff_t>(members.size()) != std::ranges::count_if(buckets, [](Id b) { return b >= 0; }))
        throw std::invalid_argument("a hash table with too few members");
    moves_ = moves;
}

// Empty blocks of the sizes that are asked for, in the order of the buckets.
void HashTable::lay_out(std::span<const Placed> neurons) {
    std::fill(blocks_.begin(), blocks_.end(), Block{});
    for (const Placed& p : neurons) ++blocks_[p.bucket].size;
    Index end = 0;
    for (Block& block : blocks_) {
        const Index capacity = block.size > 0 ? Index{1} << log2_capacity(block.size) : 0;
        block = {static_cast<std::uint32_t>(end), 0};
        end += capacity;
    }
    free_.fill(none);
    n_free_ = 0;
    pool_.clear();
    make_room(end);
    pool_.resize(end);
}

std::vector<Id> HashTable::members() const {
    std::vector<Id> all;
    all.reserve(bucket_of_.size());
    for (const Block block : blocks_)
        all.insert(all.end(), pool_.begin() + block.begin, pool_.begin() + block.begin + block.size);
    return all;
}

bool HashTable::move(Id neuron, Id bucket) {
    if (bucket_of_[neuron] == bucket) return false;
    if (bucket_of_[neuron] >= 0) remove(neuron);
    bucket_of_[neuron] = -1;
    if (bucket >= 0) insert(neuron, bucket);
    return true;
}

// Reservoir: one step of the inside-out shuffle, after which every order is equally likely if it was so before.
void HashTable::append(Block& block, Id neuron, std::uint64_t counter) {
    Id* ids = pool_.data() + block.begin;
    Index place = block.size++;
    if (shuffled_) {
        const Index other = rng_.below(counter, place + 1);
        ids[place] = ids[other];
        place = other;
    }
    ids[place] = neuron;
}

void HashTable::insert(Id neuron, Id bucket) {
    Block& block = blocks_[bucket];
    if (block.size == 0) {
        block.begin = allocate(0);
    } else if (std::has_single_bit(block.size)) {
        const std::uint32_t larger = allocate(log2_capacity(block.size) + 1);
        std::copy_n(pool_.begin() + block.begin, block.size, pool_.begin() + larger);
        release(block.begin, log2_capacity(block.size));
        block.begin = larger;
    }
    append(block, neuron, moves_++);
    bucket_of_[neuron] = bucket;
}

// Reservoir: the last member takes the place of the one that leaves; every order of the others remains equally likely.
void HashTable::remove(Id neuron) {
    Block& block = blocks_[bucket_of_[neuron]];
    Id* ids = pool_.data() + block.begin;
    const Index place = find(ids, block.size, neuron);
    --block.size;
    if (bucket_policy_ == BucketPolicy::fifo)
        std::copy(ids + place + 1, ids + block.size + 1, ids + place);
    else
        ids[place] = ids[block.size];
    if (block.size == 0)
        release(block.begin, 0);
    else if (std::has_single_bit(block.size))
        release(block.begin + block.size, log2_capacity(block.size));
}

std::uint32_t HashTable::allocate(int log2_capacity) {
    const Index capacity = Index{1} << log2_capacity;
    if (free_[log2_capacity] == none) {
        make_room(capacity);
        pool_.resize(pool_.size() + capacity);
        return static_cast<std::uint32_t>(pool_.size() - capacity);
    }
    const std::uint32_t begin = free_[log2_capacity];
    free_[log2_capacity] = static_cast<std::uint32_t>(pool_[begin]);
    n_free_ -= capacity;
    return begin;
}

void HashTable::release(std::uint32_t begin, int log2_capacity) {
    pool_[begin] = static_cast<Id>(free_[log2_capacity]);
    free_[log2_capacity] = begin;
    n_free_ += Index{1} << log2_capacity;
}

// Space for `ids` more at the end of the pool; blocks may move.
void HashTable::make_room(Index ids) {
    const Index size = static_cast<Index>(pool_.size());
    if (size + ids <= static_cast<Index>(pool_.capacity())) return;
    if (4 * n_free_ > size)
        compact(ids);
    else if (size + ids < Index{none})
        pool_.reserve(size + ids + size / 8);
    else
        throw std::length_error("a hash table has room for 2^32 ids at most");
}

void HashTable::compact(Index room) {
    const Index live = static_cast<Index>(pool_.size()) - n_free_;
    std::vector<Id> pool;
    pool.reserve(live + room + live / 8);
    for (Block& block : blocks_) {
        if (block.size == 0) continue;
        const auto from = pool_.begin() + block.begin;
        block.begin = static_cast<std::uint32_t>(pool.size());
        pool.insert(pool.end(), from, from + (std::ptrdiff_t{1} << log2_capacity(block.size)));
    }
    pool_.swap(pool);
    free_.fill(none);
    n_free_ = 0;
}

Index HashTable::memory_bytes() const {
    return static_cast<Index>(sizeof *this + blocks_.capacity() * sizeof(Block) +
                              (pool_.capacity() + bucket_of_.capacity()) * sizeof(Id));
}

}  // namespace hashslide
