// Learned hash family: the cells of k-means over the neurons, probed by inner product. Trained neurons cluster, and
// cells that are learned from them hold the top neurons of a query far more often than random projections do.
#pragma once

#include "base/rng.h"
#include "hashing/hash_family.h"

namespace hashslide {

// A neuron belongs to the cell with the nearest centre; a query probes the cells whose centres have the largest inner
// products. MipsConfig::centre should be set: the mean of the neurons says nothing about the order of the logits.
//   first centres  a sample with chances 1/2 1/n + 1/2 |v|^2 / sum |v|^2 (lightweight coresets, Bachem, Lucic & Krause
//                  2018): the long neurons, which win most logits, get cells of their own
//   balance        a cell with more than three times the mean pays a penalty in the assignment (not in probing), raised
//                  until its surplus is nearer to other cells
// The tables differ by their samples and first centres.
class KMeansCells : public HashFamily {
public:
    KMeansCells(Index n_cells, Index width, Index n_tables, std::uint64_t seed);

    void draw(std::uint64_t round, int /*n_threads*/) override { round_ = round; }
    // Lloyd's algorithm on a sample of at most 64 neurons per cell. O(tables * iterations * sample * cells * width).
    void learn(const VectorSource& neurons, int n_threads) override;
    // Each centre moves towards the vectors that have been hashed into its cell again, by their share of its size.
    void follow(const float* vectors, Index n, const Id* buckets, const Index* sizes) override;
    bool follows() const override { return true; }
    // O(entries * tables * cells), of dense vectors as products of matrices.
    void hash(const Vectors& vectors, Id* buckets) const override;
    void probe(const Vectors& queries, Index probes, Id* buckets) const override;

    double multiplications(Index entries) const override {
        return static_cast<double>(n_tables_ * n_buckets_ * entries);
    }
    double learning_multiplications(Index n) const override;

    State learned() const override { return {{"centres", centres_}, {"penalties", penalties_}}; }
    void restore(const State& state) override;

private:
    struct Assignment {
        std::vector<Id> ids, cells;
        std::vector<float> margins;  // by how much the cell is nearer than the second
        void resize(std::size_t n) {
            ids.resize(n);
            cells.resize(n);
            margins.resize(n);
        }
    };
    struct Nearest {
        Id cell;
        float margin;
    };
    std::vector<Id> draw_sample(Index n, const CounterRng& rng) const;
    std::vector<Id> first_centres(const VectorSource& neurons, const std::vector<Id>& ids, const CounterRng& rng,
                                  int n_threads) const;
    void assign(const VectorSource& neurons, Index table, Assignment& sample, int n_threads) const;
    void move_centres(const VectorSource& neurons, Index table, const Assignment& sample, int n_threads);
    void balance(Index table, const Assignment& sample);
    void update_offsets();
    Index block() const;  // vectors of one product with all centres
    const float* scores(const Vectors& vectors, Index table) const;
    Nearest nearest(const float* scores, Index table) const;

    std::uint64_t seed_, round_ = 0;
    std::vector<float> centres_;    // (tables, cells, width)
    std::vector<float> penalties_;  // (tables, cells)
    std::vector<float> offsets_;    // (tables, cells): |c|^2 / 2 + penalty, so that nearest = largest v . c - offset
};

}  // namespace hashslide
