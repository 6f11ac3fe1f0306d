// Steps 2 and 8: the neurons of one layer in hash tables: look-ups, re-hashing in place, scheduled rebuilds.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/id_map.h"
#include "base/state.h"
#include "hashing/hash_family.h"
#include "tables/hash_tables.h"
#include "tables/neuron_vectors.h"
#include "tables/sign_codes.h"

namespace hashslide {

struct IndexConfig {
    HashFamilyConfig family;
    MipsConfig mips;
    BucketPolicy bucket_policy = BucketPolicy::reservoir;
    Index bucket_size = 128;      // members of a bucket that a look-up sees; 0: all
    Index probes = 1;             // buckets looked up in each table, in each norm range
    Index rehash_first = 50;      // step of the first build
    double rehash_growth = 1.5;   // each full rebuild comes after so many times as many steps: at steps rehash_first *
                                  // growth^i, an exponentially decaying rate (Chen et al. 2020)
    double rehash_changed = 1.0;  // or when so many codes have changed since the last, as a share of all neurons
                                  // times tables
    Index rehash_every = 200;     // steps between two re-hashes of the touched neurons
};

class NeuronIndex {
public:
    // family: null: make_hash_family(config.family); otherwise the user's own, for vectors of MipsMap::width().
    NeuronIndex(const IndexConfig& config, Index n_neurons, Index width, std::uint64_t seed,
                std::shared_ptr<HashFamily> family = nullptr);

    bool ready() const { return builds_ > 0; }  // built at least once
    Index n_tables() const { return family_->n_tables(); }
    // Buckets that a look-up returns for each table, norm ranges included.
    Index probes() const { return probes_ * map_.ranges(); }

    // The buckets to look into, best first within a table: found: (n, n_tables, probes), -1: none. queries: hidden
    // activations. Among the norm ranges, the longer neurons come first.
    void look_up(const Vectors& queries, std::vector<Id>& found, int n_threads) const;
    std::span<const Id> bucket(Index table, Id b) const { return tables_[table].bucket(b); }
    const HashTable& table(Index t) const { return tables_[t]; }
    // Where the family is sign_codes there are no tables and no buckets, but packed codes; null otherwise.
    const SignCodes* signs() const { return signs_ ? &*signs_ : nullptr; }
    // The codes of the queries: (n, signs()->words()).
    std::vector<std::uint64_t> query_signs(const Vectors& queries, int n_threads) const;

    void observe(const Vectors& queries) { map_.observe(queries); }  // of each step: see MipsMap
    // Step 8, after each update: re-hashes the touched neurons when due, rebuilds everything on the schedule.
    void touch(std::span<const Id> neurons);
    void maintain(const NeuronView& neurons, Index step, int n_threads);
    // Full rebuild with fresh functions, now. O(n L K) and the sorting of n L codes. While neurons are hashed it may be
    // interrupted or fail, and leaves what there was.
    void build(const NeuronView& neurons, int n_threads);

    void grow(Index n_neurons);  // new neurons are found only after they have been touched and re-hashed
    State state() const;
    void restore(const State& state, int n_threads);
    Index memory_bytes() const;                                  // of the tables and the list of touched neurons
    double multiplications() const { return multiplications_; }  // of hashing neurons so far; look-ups not included
    const HashFamily& family() const { return *family_; }
    const MipsMap& map() const { return map_; }

private:
    void hash(const NeuronView& neurons, const Id* ids, Index n, std::span<Id* const> codes, float* vectors) const;
    double multiplications_of_neuron() const {
        return family_->multiplications(map_.width()) + static_cast<double>(map_.multiplications());
    }
    void hash_all(const NeuronView& neurons, int n_threads);
    void take_back(const MipsMap& map, const State& learned, int n_threads);
    void refresh(const NeuronView& neurons, int n_threads);
    Index set_signs(const NeuronView& neurons, std::span<const Id> ids, SignCodes& signs, int n_threads) const;
    void save_tables(State& state) const;
    void restore_tables(const State& state, int n_threads);
    void follow(const std::vector<float>& vectors, Index n, const std::vector<Id>& codes, Index stride);

    IndexConfig config_;
    Index n_neurons_;
    MipsMap map_;
    std::shared_ptr<HashFamily> family_;
    Index probes_;
    std::vector<HashTable> tables_;                // or
    std::optional<SignCodes> signs_, next_signs_;  // the latter of a build that has not ended yet
    IdMap touched_;
    Index next_build_, next_refresh_ = 0, builds_ = 0;
    Index changed_ = 0;  // codes since the last build
    double multiplications_ = 0;
};

}  // namespace hashslide
