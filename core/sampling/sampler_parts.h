// What the samplers share among themselves; the rest of the core calls sample().
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "sampling/sampler.h"

namespace hashslide {

// The arguments of sample().
struct SampleTask {
    const SamplerConfig& config;
    const NeuronIndex* index;
    const NeuronView& neurons;
    const Vectors& queries;
    const Selection* uncounted;
    const CounterRng& rng;
    int n_threads;
    bool same_draws;

    Index n() const { return queries.n; }
    bool has_budget() const {
        const bool by_chance = config.kind == SamplerKind::uniform || config.kind == SamplerKind::standout;
        return config.budget > 0 && !by_chance && config.kind != SamplerKind::all;
    }
    // Most neurons for one query, the uncounted ones among them.
    Index limit(Index query) const {
        if (!has_budget()) return neurons.n;
        const Index beside = uncounted ? std::ssize(uncounted->of(query)) : 0;
        return std::min(config.budget + beside, neurons.n);
    }
    // Of the neurons chosen for a query, in the order of choice from ids[first] on, as many as the budget allows. O(n
    // log uncounted).
    void keep_budget(Index query, std::vector<Id>& ids, std::size_t first) const {
        if (!has_budget() || !uncounted) return;
        const std::span<const Id> beside = uncounted->of(query);
        Index counted = 0;
        for (std::size_t i = first; i < ids.size(); ++i) {
            if (counted == config.budget) return ids.resize(i);
            counted += !std::binary_search(beside.begin(), beside.end(), ids[i]);
        }
    }
    std::uint64_t draw(Index query, Index i) const {
        return static_cast<std::uint64_t>(same_draws ? 0 : query) << 32 | i;
    }
};

void sample_all(const SampleTask& task, Selection& out);
void sample_uniform(const SampleTask& task, Selection& out);
void sample_vanilla(const SampleTask& task, Selection& out);
void sample_frequent(const SampleTask& task, Index min_count, Selection& out);
void sample_signs(const SampleTask& task, Index min_count, Selection& out);
void sample_scored(const SampleTask& task, Selection& out);
void sample_exact(const SampleTask& task, Selection& out);
void sample_standout(const SampleTask& task, Selection& out);

// The buckets that the queries of a task look into.
class LookUps {
public:
    explicit LookUps(const SampleTask& task)
        : index_(*task.index), tables_(index_.n_tables()), probes_(index_.probes()) {
        index_.look_up(task.queries, found_, task.n_threads);
    }

    Index tables() const { return tables_; }
    Index probes() const { return probes_; }
    // Look-up (query, table, probe) has the number (query * tables + table) * probes + probe.
    const std::vector<Id>& buckets() const { return found_; }
    std::span<const Id> members(Index query, Index table, Index probe) const {
        const Id b = bucket(query, table, probe);
        return b < 0 ? std::span<const Id>{} : index_.bucket(table, b);
    }
    // Asks for the memory that says where the members are.
    void prefetch(Index query, Index table, Index probe) const {
        const Id b = bucket(query, table, probe);
        if (b >= 0) index_.table(table).prefetch(b);
    }

private:
    Id bucket(Index query, Index table, Index probe) const {
        return found_[(query * tables_ + table) * probes_ + probe];
    }

    const NeuronIndex& index_;
    Index tables_, probes_;
    std::vector<Id> found_;
};

// Runs choose(query, ids), which appends the neurons of the query to ids, at most limit(query) in the order of choice,
// for all queries.
template <class F>
void choose_each(const SampleTask& task, Selection& out, F&& choose) {
    constexpr Index grain = 16;
    std::vector<std::vector<Id>> pieces((task.n() + grain - 1) / grain);
    out.begin.assign(task.n() + 1, 0);
    parallel_for(task.n_threads, 0, task.n(), grain, [&](Index first, Index last) {
        std::vector<Id>& ids = pieces[first / grain];
        for (Index q = first; q < last; ++q) {
            const std::size_t size = ids.size();
            choose(q, ids);
            task.keep_budget(q, ids, size);
            out.begin[q + 1] = static_cast<Index>(ids.size());
        }
    });
    Index before = 0;
    for (Index q = 0; q < task.n(); ++q) {
        out.begin[q + 1] += before;
        if ((q + 1) % grain == 0) before = out.begin[q + 1];
    }
    out.ids.resize(before = out.begin[task.n()]);
    parallel_for(task.n_threads, 0, static_cast<Index>(pieces.size()), 1, [&](Index i, Index) {
        std::copy(pieces[i].begin(), pieces[i].end(), out.ids.begin() + out.begin[i * grain]);
    });
}

// Appends neurons to a query's list, none twice. One bit per neuron and thread says what has
// been seen, so the bits stay in the nearest cache; they are cleared by taking back what was appended, so a query costs
// what it finds.
class DistinctIds {
public:
    DistinctIds(Index n_neurons, std::vector<Id>& ids) : seen_(bits(n_neurons)), ids_(ids), first_(ids.size()) {}
    DistinctIds(const DistinctIds&) = delete;
    DistinctIds& operator=(const DistinctIds&) = delete;
    ~DistinctIds() {
        for (std::size_t i = first_; i < ids_.size(); ++i) seen_[ids_[i] >> 6] = 0;
    }

    Index size() const { return static_cast<Index>(ids_.size() - first_); }

    // False if it is there already.
    bool add(Id id) {
        if (seen_[id >> 6] & bit(id)) return false;
        ids_.push_back(id);
        seen_[id >> 6] |= bit(id);
        return true;
    }

    // Until the list has `limit` neurons. Written without branches: what has been seen cannot be predicted.
    void append(std::span<const Id> from, Index limit) {
        while (!from.empty() && size() < limit) {
            const std::size_t n = std::min<std::size_t>(from.size(), limit - size());
            const std::size_t size = ids_.size();
            ids_.resize(size + n);
            ids_.resize(size + mark(from.first(n), ids_.data() + size));
            from = from.subspan(n);
        }
    }

private:
    // Writes the new ones to out, which has room for all; how many.
    Index mark(std::span<const Id> from, Id* out) {
        std::uint64_t* const words = seen_.data();
        Index n = 0;
        for (const Id id : from) {
            const std::uint64_t word = words[id >> 6];
            out[n] = id;
            n += !(word & bit(id));
            words[id >> 6] = word | bit(id);
        }
        return n;
    }

    static std::uint64_t bit(Id id) { return std::uint64_t{1} << (id & 63); }
    static std::vector<std::uint64_t>& bits(Index n_neurons) {
        thread_local std::vector<std::uint64_t> words;
        if (static_cast<Index>(words.size()) * 64 < n_neurons) words.resize((n_neurons + 63) / 64);
        return words;
    }

    std::vector<std::uint64_t>& seen_;
    std::vector<Id>& ids_;
    std::size_t first_;
};

}  // namespace hashslide
