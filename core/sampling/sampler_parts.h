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
    const Selection* exclude;
    const CounterRng& rng;
    int n_threads;
    bool same_draws;

    Index n() const { return queries.n; }
    std::span<const Id> excluded(Index query) const {
        if (!exclude) return {};
        return {exclude->ids.data() + exclude->begin[query], exclude->ids.data() + exclude->begin[query + 1]};
    }
    // Most neurons for one query.
    Index limit() const { return config.budget > 0 ? std::min(config.budget, neurons.n) : neurons.n; }
    std::uint64_t draw(Index query, Index i) const {
        return static_cast<std::uint64_t>(same_draws ? 0 : query) << 32 | i;
    }
};

void sample_all(const SampleTask& task, Selection& out);
void sample_uniform(const SampleTask& task, Selection& out);
void sample_vanilla(const SampleTask& task, Selection& out);
void sample_frequent(const SampleTask& task, Index min_count, Selection& out);
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

// Runs choose(query, ids), which appends the neurons of the query to ids, for all queries.
template <class F>
void choose_each(const SampleTask& task, Selection& out, F&& choose) {
    constexpr Index grain = 16;
    std::vector<std::vector<Id>> pieces((task.n() + grain - 1) / grain);
    out.begin.assign(task.n() + 1, 0);
    parallel_for(task.n_threads, 0, task.n(), grain, [&](Index first, Index last) {
        std::vector<Id>& ids = pieces[first / grain];
        for (Index q = first; q < last; ++q) {
            choose(q, ids);
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

// Appends neurons to a query's list, none twice and none that is excluded. One bit per neuron and thread says what has
// been seen, so the bits stay in the nearest cache; they are cleared by taking back what was appended, so a query costs
// what it finds.
class DistinctIds {
public:
    DistinctIds(Index n_neurons, std::span<const Id> excluded, std::vector<Id>& ids)
        : seen_(bits(n_neurons)), excluded_(excluded), ids_(ids), first_(ids.size()) {
        for (const Id id : excluded_) seen_[id >> 6] |= bit(id);
    }
    DistinctIds(const DistinctIds&) = delete;
    DistinctIds& operator=(const DistinctIds&) = delete;
    ~DistinctIds() {
        for (const Id id : excluded_) seen_[id >> 6] = 0;
        for (std::size_t i = first_; i < ids_.size(); ++i) seen_[ids_[i] >> 6] = 0;
    }

    Index size() const { return static_cast<Index>(ids_.size() - first_); }

    // False if it is there already or excluded.
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
    std::span<const Id> excluded_;
    std::vector<Id>& ids_;
    std::size_t first_;
};

}  // namespace hashslide
