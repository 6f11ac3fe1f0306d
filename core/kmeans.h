// Learned hash family: the cells of k-means over the neurons (w, b), probed by inner product. Trained neurons cluster,
// and cells that are learned from them hold the top neurons of a query far more often than random projections do.
#pragma once

#include "hash_family.h"

namespace hashslide {

// A neuron is the point (w, b); all points are centred, which changes neither softmax nor the order of the logits. A
// neuron belongs to the cell with the nearest centre; a query (h, 1) probes the cells with the largest inner products.
class KMeansCells : public HashFamily {
public:
    KMeansCells(Index n_cells, Index width, std::uint64_t seed);

    Index n_buckets() const override { return n_cells_; }
    // Lloyd's algorithm on a sample of at most 64 neurons a cell. O(iterations * sample * cells * width).
    void fit(const NeuronView& neurons, std::uint64_t round, int n_threads) override;
    void hash_neurons(const NeuronView& neurons, const std::vector<Id>& ids, std::vector<Id>& buckets,
                      int n_threads) const override;
    void probe(const float* queries, Index n, Index probes, std::vector<Id>& buckets, int n_threads) const override;

    // The centres go with neurons that have changed: each moves towards the mean of its ids, by their share of its
    // size.
    void follow(const NeuronView& neurons, const std::vector<Id>& ids, const std::vector<Id>& buckets,
                const std::vector<Index>& cell_sizes);

private:
    void set_mean(const NeuronView& neurons);
    std::vector<Id> sample(Index n, std::uint64_t round) const;
    void move_centres(const NeuronView& neurons, const std::vector<Id>& ids, const std::vector<Id>& buckets,
                      int n_threads);
    void update_offsets();

    Index n_cells_, width_;
    std::uint64_t seed_;
    std::vector<float> mean_;  // (width,)
    float mean_bias_ = 0;
    std::vector<float> centres_;  // (cells, width), of centred points
    std::vector<float> biases_;   // (cells,)
    std::vector<float> offsets_;  // (cells,): |c|^2 / 2 + mean . c, so that nearest = largest (w, b) . c - offset
};

}  // namespace hashslide
