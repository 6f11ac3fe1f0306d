// Samplers that take neurons by where they are found and never look at their weights.
#include <numeric>

#include "base/prefetch.h"
#include "sampling/sampler_parts.h"

namespace hashslide {
namespace {

constexpr Index ahead = 16;  // look-ups whose memory is fetched at once

struct Look {
    Index table, probe;
};

// Asks for the first lines of a bucket; the processor guesses the rest.
void prefetch(std::span<const Id> bucket) {
    constexpr std::size_t line = 64 / sizeof(Id), lines = 4;
    for (std::size_t i = 0; i < std::min(bucket.size(), lines * line); i += line) hashslide::prefetch(&bucket[i]);
}

// Calls f(members) for at most `ahead` look-ups of a query. Buckets and their members lie anywhere in memory: waiting
// for one after the other would be most of the time.
template <class F>
void read(const LookUps& look_ups, Index query, std::span<const Look> looks, F&& f) {
    std::span<const Id> buckets[ahead];
    for (const auto& [table, probe] : looks) look_ups.prefetch(query, table, probe);
    for (std::size_t i = 0; i < looks.size(); ++i)
        prefetch(buckets[i] = look_ups.members(query, looks[i].table, looks[i].probe));
    for (std::size_t i = 0; i < looks.size(); ++i) f(buckets[i]);
}

// The look-ups of a query, table by table in random order, drawn piece by piece: a query often has enough after a few
// tables (Fisher & Yates).
class ShuffledLooks {
public:
    ShuffledLooks(const SampleTask& task, Index query, Index tables, Index probes)
        : task_(task), query_(query), probes_(probes), order_(memory()) {
        order_.resize(tables);
        std::iota(order_.begin(), order_.end(), 0);
    }

    // The next ones, at most `ahead`.
    std::span<const Look> next() {
        std::size_t n = 0;
        for (; n < ahead && (drawn_ < static_cast<Index>(order_.size()) || probe_ > 0); ++n) {
            if (probe_ == 0) draw_table();
            looks_[n] = {order_[drawn_ - 1], probe_};
            if (++probe_ == probes_) probe_ = 0;
        }
        return {looks_, n};
    }

private:
    static std::vector<Index>& memory() {
        thread_local std::vector<Index> order;
        return order;
    }
    void draw_table() {
        const Index left = static_cast<Index>(order_.size()) - drawn_;
        std::swap(order_[drawn_], order_[drawn_ + task_.rng.below(task_.draw(query_, drawn_), left)]);
        ++drawn_;
    }

    const SampleTask& task_;
    Index query_, probes_, drawn_ = 0, probe_ = 0;
    std::vector<Index>& order_;
    Look looks_[ahead];
};

void vanilla_of_query(const SampleTask& task, const LookUps& look_ups, Index query, std::vector<Id>& ids) {
    ShuffledLooks shuffled(task, query, look_ups.tables(), look_ups.probes());
    DistinctIds found(task.neurons.n, ids);
    const Index limit = task.limit(query);
    for (auto looks = shuffled.next(); !looks.empty() && found.size() < limit; looks = shuffled.next())
        read(look_ups, query, looks, [&](std::span<const Id> bucket) { found.append(bucket, limit); });
}

// In how many tables each neuron was found. One counter per neuron and thread, cleared by taking back what was counted.
class Tally {
public:
    explicit Tally(Index n_neurons) : counts_(memory(n_neurons)) {}
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;
    ~Tally() {
        for (const Id id : found_) counts_[id] = 0;
    }

    void add(std::span<const Id> bucket) {
        std::size_t end = found_.size();
        found_.resize(end + bucket.size());
        for (const Id id : bucket) {
            found_[end] = id;
            end += counts_[id]++ == 0;
        }
        found_.resize(end);
    }
    const std::vector<Id>& found() const { return found_; }
    std::uint32_t count(Id id) const { return counts_[id]; }

private:
    static std::vector<std::uint32_t>& memory(Index n_neurons) {
        thread_local std::vector<std::uint32_t> counts;
        if (static_cast<Index>(counts.size()) < n_neurons) counts.resize(n_neurons);
        return counts;
    }

    std::vector<std::uint32_t>& counts_;
    std::vector<Id> found_;
};

void count_tables(const LookUps& look_ups, Index query, Tally& tally) {
    std::vector<Look> looks;
    for (Index t = 0; t < look_ups.tables(); ++t)
        for (Index p = 0; p < look_ups.probes(); ++p) looks.push_back({t, p});
    for (std::span<const Look> left = looks; !left.empty();
         left = left.subspan(std::min<std::size_t>(ahead, left.size())))
        read(look_ups, query, left.first(std::min<std::size_t>(ahead, left.size())),
             [&](std::span<const Id> bucket) { tally.add(bucket); });
}

// Ascending order of the keys is the order of choice: more tables first, then the smaller id.
void frequent_of_query(const SampleTask& task, const LookUps& look_ups, Index query, Index min_count,
                       std::vector<Id>& ids) {
    Tally tally(task.neurons.n);
    const Index limit = task.limit(query);
    count_tables(look_ups, query, tally);
    std::vector<std::uint64_t> keys;
    for (const Id id : tally.found())
        if (tally.count(id) >= min_count) keys.push_back(static_cast<std::uint64_t>(~tally.count(id)) << 32 | id);
    if (static_cast<Index>(keys.size()) > limit) {
        std::nth_element(keys.begin(), keys.begin() + limit, keys.end());
        keys.resize(limit);
    }
    std::sort(keys.begin(), keys.end());
    for (const std::uint64_t key : keys) ids.push_back(static_cast<Id>(key));
}

}  // namespace

void sample_vanilla(const SampleTask& task, Selection& out) {
    const LookUps look_ups(task);
    choose_each(task, out, [&](Index q, std::vector<Id>& ids) { vanilla_of_query(task, look_ups, q, ids); });
}

void sample_frequent(const SampleTask& task, Index min_count, Selection& out) {
    const LookUps look_ups(task);
    choose_each(task, out,
                [&](Index q, std::vector<Id>& ids) { frequent_of_query(task, look_ups, q, min_count, ids); });
}

}  // namespace hashslide
