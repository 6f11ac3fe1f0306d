#include "tables/neuron_index.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/parallel.h"
#include "base/scratch.h"
#include "families/make_family.h"
#include "families/simhash.h"

namespace hashslide {
namespace {

constexpr int slot = 4;       // of the scratch memory; families use those before
constexpr Index block = 128;  // queries hashed at once

// The family as one of packed codes; null if it is another.
const SignFamily* as_signs(const HashFamily& family) { return dynamic_cast<const SignFamily*>(&family); }

State with_prefix(const std::string& prefix, const State& from, State into) {
    for (const auto& [name, values] : from) into[prefix + name] = values;
    return into;
}

State without_prefix(const std::string& prefix, const State& from) {
    State into;
    for (const auto& [name, values] : from)
        if (name.starts_with(prefix)) into[name.substr(prefix.size())] = values;
    return into;
}

constexpr Index never = Index{1} << 62;  // a step, and the end of all counts: no sum of two overflows

void check_counts(const std::string& name, const std::vector<Index>& values, Index size) {
    if (static_cast<Index>(values.size()) != size)
        throw std::invalid_argument("the tables' array " + name + " has the wrong size");
    for (const Index v : values)
        if (v < 0 || v > never)
            throw std::invalid_argument("the tables' array " + name + " holds " + std::to_string(v) +
                                        "; accepted are counts from 0 to 2^62");
}

Index later(Index step, double growth) {
    const double then = std::ceil(growth * static_cast<double>(step));
    return then < static_cast<double>(never) ? std::max(step + 1, static_cast<Index>(then)) : never;
}

}  // namespace

NeuronIndex::NeuronIndex(const IndexConfig& config, Index n_neurons, Index width, std::uint64_t seed,
                         std::shared_ptr<HashFamily> family)
    : config_(config),
      n_neurons_(n_neurons),
      map_(config.mips, width),
      family_(family ? std::move(family) : make_hash_family(config.family, map_.width(), n_neurons, seed)),
      probes_(std::min(config.probes, family_->n_buckets())),
      touched_(n_neurons),
      next_build_(config.rehash_first) {
    const Index n_buckets = family_->n_buckets() * map_.ranges();
    if (n_buckets > std::numeric_limits<Id>::max()) throw std::length_error("more than 2^31 - 1 buckets in a table");
    if (as_signs(*family_)) {
        signs_.emplace(n_tables());
        return;
    }
    for (Index t = 0; t < n_tables(); ++t) {
        const std::uint64_t key = CounterRng(seed, Stream::reservoir, static_cast<std::uint64_t>(t)).bits(0);
        tables_.emplace_back(n_buckets, config.bucket_policy, config.bucket_size, key);
    }
}

void NeuronIndex::grow(Index n_neurons) {
    n_neurons_ = n_neurons;
    touched_.grow(n_neurons);
    if (!ready()) return;
    for (HashTable& table : tables_) table.grow(n_neurons);
    if (signs_) signs_->grow(n_neurons);
}

// Range r of the neurons has the buckets from r * n_buckets on.
void NeuronIndex::look_up(const Vectors& queries, std::vector<Id>& found, int n_threads) const {
    const Index ranges = map_.ranges(), looks = n_tables() * probes_;
    const Id n_buckets = static_cast<Id>(family_->n_buckets());
    found.resize(queries.n * looks * ranges);
    const bool stays_sparse = queries.sparse && family_->takes_sparse() && !map_.centres_queries();
    const Index grain = stays_sparse ? block : at_once(block, map_.width());
    parallel_for(n_threads, 0, queries.n, grain, [&](Index first, Index last) {
        thread_local VectorList memory;
        const Vectors vectors = map_.map_queries(queries.part(first, last), memory);
        Id* out = found.data() + first * looks * ranges;
        std::vector<Id> codes(ranges > 1 ? vectors.n * looks : 0);
        family_->probe(vectors, probes_, ranges > 1 ? codes.data() : out);
        for (std::size_t i = 0; i < codes.size(); ++i)
            for (Index r = ranges - 1; r >= 0; --r)
                *out++ = codes[i] < 0 ? Id{-1} : static_cast<Id>(r * n_buckets + codes[i]);
    });
}

void NeuronIndex::touch(std::span<const Id> neurons) {
    for (const Id neuron : neurons) touched_.insert(neuron);
}

void NeuronIndex::maintain(const NeuronView& neurons, Index step, int n_threads) {
    const bool refreshes = ready() && step >= next_refresh_;
    bool rebuilds = step >= next_build_;
    if (refreshes && !rebuilds) {
        refresh(neurons, n_threads);
        const double codes = static_cast<double>(n_neurons_) * static_cast<double>(n_tables());
        rebuilds = static_cast<double>(changed_) >= config_.rehash_changed * codes;
    }
    if (rebuilds) {
        build(neurons, n_threads);
        next_build_ = later(step, config_.rehash_growth);
    }
    if (rebuilds || refreshes) next_refresh_ = step + config_.rehash_every;
}

// Codes of at most `block` neurons, by table: codes[t] (n,). vectors: (n, width) workspace, left filled.
// A neuron that is not hashed is in no bucket; otherwise all of them would share one.
void NeuronIndex::hash(const NeuronView& neurons, const Id* ids, Index n, std::span<Id* const> codes,
                       float* vectors) const {
    thread_local std::vector<Id> buckets, ranges;
    buckets.resize(n * n_tables());
    ranges.resize(n);
    map_.map_neurons(neurons, ids, n, vectors, ranges.data());
    family_->hash(Vectors::dense(vectors, n, map_.width()), buckets.data());
    for (Id& r : ranges) r *= static_cast<Id>(family_->n_buckets());
    for (Index i = 0; i < n; ++i) {
        const bool found = is_hashed(neurons, ids[i]);
        for (Index t = 0; t < n_tables(); ++t) codes[t][i] = found ? ranges[i] + buckets[i * n_tables() + t] : -1;
    }
}

void NeuronIndex::build(const NeuronView& neurons, int n_threads) {
    const MipsMap map = map_;
    const State learned = ready() ? family_->learned() : State{};
    try {
        hash_all(neurons, n_threads);
    } catch (...) {
        if (ready()) take_back(map, learned, n_threads);
        throw;
    }
    const Whole whole;
    const Index builds = builds_, next_build = next_build_;
    builds_ = next_build_ = 0;  // should memory run out: there are no tables until the next step
    parallel_for(n_threads, 0, std::ssize(tables_), 1, [&](Index t, Index) { tables_[t].build(); });
    if (signs_) signs_.swap(next_signs_);
    next_signs_.reset();
    builds_ = builds + 1;
    next_build_ = next_build;
    multiplications_ += family_->learning_multiplications(neurons.n) +
                        static_cast<double>(neurons.n) *
                            (multiplications_of_neuron() + static_cast<double>(map_.fitting_multiplications()));
    touched_.clear();
    changed_ = 0;
}

// New functions, and the codes that they give all neurons.
void NeuronIndex::hash_all(const NeuronView& neurons, int n_threads) {
    family_->draw(static_cast<std::uint64_t>(builds_), n_threads);
    map_.fit(neurons, n_threads);
    family_->learn(NeuronVectors(neurons, map_), n_threads);
    if (signs_) {
        std::vector<Id> all(neurons.n);
        std::iota(all.begin(), all.end(), 0);
        next_signs_.emplace(n_tables(), neurons.n);
        set_signs(neurons, all, *next_signs_, n_threads);
        return;
    }
    std::vector<Id*> codes;
    for (HashTable& table : tables_) codes.push_back(table.assign(neurons.n).data());
    const Index grain = at_once(128, map_.width());
    parallel_for(n_threads, 0, neurons.n, grain, [&](Index first, Index last) {
        std::vector<Id> ids(last - first);
        std::iota(ids.begin(), ids.end(), static_cast<Id>(first));
        std::vector<Id*> here = codes;
        for (Id*& c : here) c += first;
        hash(neurons, ids.data(), last - first, here, scratch<slot>(grain * map_.width()));
    });
}

// Returns to the functions of the last build, to which the buckets still belong. A family of the user's own may fail
// in that too: then there are no tables until the next step.
void NeuronIndex::take_back(const MipsMap& map, const State& learned, int n_threads) {
    const Whole whole;
    map_ = map;
    next_signs_.reset();
    parallel_for(n_threads, 0, std::ssize(tables_), 1, [&](Index t, Index) { tables_[t].take_back(n_neurons_); });
    try {
        family_->draw(static_cast<std::uint64_t>(builds_ - 1), n_threads);
        family_->restore(learned);
    } catch (...) {
        builds_ = next_build_ = 0;
    }
}

// Re-hashes the touched neurons, part by part, and moves those whose bucket has changed. One thread per table.
void NeuronIndex::refresh(const NeuronView& neurons, int n_threads) {
    const std::vector<Id>& ids = touched_.ids();
    multiplications_ += static_cast<double>(ids.size()) * multiplications_of_neuron();
    if (signs_) {
        changed_ += set_signs(neurons, ids, *signs_, n_threads);
        touched_.clear();
        return;
    }
    const Index part = std::min(at_once(4096, map_.width()), std::max<Index>(1, touched_.size()));
    std::vector<Id> codes(n_tables() * part);
    std::vector<float> vectors(part * map_.width());
    std::vector<Index> moved(n_tables(), 0);
    for (Index begin = 0; begin < touched_.size(); begin += part) {
        const Index size = std::min(part, touched_.size() - begin);
        parallel_for(n_threads, 0, size, block, [&](Index first, Index last) {
            std::vector<Id*> here(n_tables());
            for (Index t = 0; t < n_tables(); ++t) here[t] = codes.data() + t * part + first;
            hash(neurons, ids.data() + begin + first, last - first, here, vectors.data() + first * map_.width());
        });
        parallel_for(n_threads, 0, n_tables(), 1, [&](Index t, Index) {
            for (Index i = 0; i < size; ++i) moved[t] += tables_[t].move(ids[begin + i], codes[t * part + i]);
        });
        if (family_->follows()) follow(vectors, size, codes, part);
    }
    changed_ += std::accumulate(moved.begin(), moved.end(), Index{0});
    touched_.clear();
}

// Hashes these neurons anew; returns how many bits have changed.
Index NeuronIndex::set_signs(const NeuronView& neurons, std::span<const Id> ids, SignCodes& signs,
                             int n_threads) const {
    std::atomic<Index> changed = 0;
    const Index grain = at_once(block, map_.width());
    parallel_for(n_threads, 0, std::ssize(ids), grain, [&](Index first, Index last) {
        const Index n = last - first;
        std::vector<Id> ranges(n);
        std::vector<std::uint64_t> codes(n * signs.words());
        float* vectors = scratch<slot>(grain * map_.width());
        map_.map_neurons(neurons, ids.data() + first, n, vectors, ranges.data());
        as_signs(*family_)->signs(Vectors::dense(vectors, n, map_.width()), codes.data());
        Index here = 0;
        for (Index i = 0; i < n; ++i) {
            const Id id = ids[first + i];
            here += signs.set(id, is_hashed(neurons, id) ? codes.data() + i * signs.words() : nullptr);
        }
        changed += here;
    });
    return changed;
}

std::vector<std::uint64_t> NeuronIndex::query_signs(const Vectors& queries, int n_threads) const {
    std::vector<std::uint64_t> codes(queries.n * signs_->words());
    parallel_for(n_threads, 0, queries.n, at_once(block, map_.width()), [&](Index first, Index last) {
        thread_local VectorList memory;
        as_signs(*family_)->signs(map_.map_queries(queries.part(first, last), memory),
                                  codes.data() + first * signs_->words());
    });
    return codes;
}

// Shows the family those of the vectors that are in buckets.
void NeuronIndex::follow(const std::vector<float>& vectors, Index n, const std::vector<Id>& codes, Index stride) {
    const Index n_buckets = family_->n_buckets(), width = map_.width();
    std::vector<Id> buckets;
    std::vector<float> placed;
    for (Index i = 0; i < n; ++i) {
        if (codes[i] < 0) continue;
        placed.insert(placed.end(), vectors.begin() + i * width, vectors.begin() + (i + 1) * width);
        for (Index t = 0; t < n_tables(); ++t) buckets.push_back(static_cast<Id>(codes[t * stride + i] % n_buckets));
    }
    std::vector<Index> sizes(n_tables() * n_buckets, 0);
    for (Index t = 0; t < n_tables(); ++t)
        for (Index b = 0; b < tables_[t].n_buckets(); ++b)
            sizes[t * n_buckets + b % n_buckets] += tables_[t].size(static_cast<Id>(b));
    family_->follow(placed.data(), static_cast<Index>(buckets.size()) / n_tables(), buckets.data(), sizes.data());
}

void NeuronIndex::save_tables(State& state) const {
    std::vector<Id> buckets, members;
    std::vector<Index> moves;
    if (ready()) {
        for (const HashTable& table : tables_) {
            const std::vector<Id> here = table.members();
            buckets.insert(buckets.end(), table.buckets().begin(), table.buckets().end());
            members.insert(members.end(), here.begin(), here.end());
            moves.push_back(static_cast<Index>(table.moves()));
        }
    }
    state["buckets"] = std::move(buckets);
    state["members"] = std::move(members);
    state["moves"] = std::move(moves);
}

void NeuronIndex::restore_tables(const State& state, int n_threads) {
    const std::span<const Id> buckets = array_of<Id>(state, "buckets"), members = array_of<Id>(state, "members");
    const std::vector<Index>& moves = array_of<Index>(state, "moves");
    check_counts("moves", moves, n_tables());
    if (static_cast<Index>(buckets.size()) != n_tables() * n_neurons_ || members.size() % moves.size() != 0)
        throw std::invalid_argument("tables of another number of neurons");
    const std::size_t placed = members.size() / moves.size();  // in each table
    parallel_for(n_threads, 0, n_tables(), 1, [&](Index t, Index) {
        tables_[t].restore(buckets.subspan(t * n_neurons_, n_neurons_), members.subspan(t * placed, placed),
                           static_cast<std::uint64_t>(moves[t]));
    });
}

State NeuronIndex::state() const {
    State state{{"progress", std::vector<Index>{n_neurons_, builds_, next_build_, next_refresh_, changed_}},
                {"touched", touched_.ids()}};
    signs_ ? signs_->save(state) : save_tables(state);
    return with_prefix("family.", family_->learned(), with_prefix("map.", map_.state(), std::move(state)));
}

void NeuronIndex::restore(const State& state, int n_threads) {
    const std::vector<Index>& progress = array_of<Index>(state, "progress");
    check_counts("progress", progress, 5);
    if (progress[0] != n_neurons_) throw std::invalid_argument("tables of another number of neurons");
    const std::vector<Id>& touched = array_of<Id>(state, "touched");
    for (const Id id : touched)
        if (id < 0 || id >= n_neurons_) throw std::invalid_argument("touched neurons that do not exist");
    builds_ = progress[1];
    next_build_ = progress[2];
    next_refresh_ = progress[3];
    changed_ = progress[4];
    touched_.clear();
    touch(touched);
    map_.restore(without_prefix("map.", state), ready());
    if (!ready()) return;
    family_->draw(static_cast<std::uint64_t>(builds_ - 1), n_threads);
    family_->restore(without_prefix("family.", state));
    if (!signs_) return restore_tables(state, n_threads);
    signs_->grow(n_neurons_);
    signs_->restore(state);
}

Index NeuronIndex::memory_bytes() const {
    Index total = n_neurons_ * 2 * static_cast<Index>(sizeof(Id));
    for (const HashTable& table : tables_) total += table.memory_bytes();
    return signs_ ? total + signs_->memory_bytes() : total;
}

}  // namespace hashslide
