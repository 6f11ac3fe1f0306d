// Examples from the buckets of hash tables into which the weights fall (LSH-sampled SGD: Chen, Xu & Shrivastava 2019).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hashing/hash_family.h"
#include "linear/example_sampler.h"
#include "linear/linear_examples.h"

namespace hashslide {

// Hashed once, by directions: for the logistic loss y (x, 1), whose inner product with the query -(w, b) is large where
// the slope is; for the squared loss (x, 1, y), with two queries, (w, b, -1) and its negative. A draw takes a random
// table and query, and a random member of the bucket, or any example where that is empty. Hence
//
//     q(i) = the mean, over queries and tables, of [code of i = code of the query] / size of the bucket,
//
// with 1 / N for an empty one. The paper weighs by the chance of this over the draw of all tables, from the law of the
// family; for the tables that one has, that estimate is biased. Here q is that of the tables at hand, from the codes of
// the example: O(L) a draw, whatever N is.
class BucketSampler : public MixedSampler {
public:
    // Hashes all, O(L K entries). 6 bytes an example and table.
    BucketSampler(const LinearExamples& examples, const HashFamilyConfig& family, double uniform_share,
                  std::uint64_t seed, int n_threads);

    void follow(const float* weights, float intercept) override;
    double follow_cost() const override;

    // For tests: the code of each example and table (N, L), and of each query and table (queries, L), -1: its bucket is
    // empty.
    std::vector<Id> codes() const;
    std::vector<Id> query_codes() const;

protected:
    Id draw_one(const CounterRng& rng, std::uint64_t counter) const override;
    double chance(Id example) const override;

private:
    using Code = std::uint16_t;  // the caller asks for at most 16 hashes a table

    void hash(const LinearExamples& examples, int n_threads);
    void fill_tables();

    struct Bucket {
        const Id* members = nullptr;
        Index size = 0;
    };
    Bucket bucket(Index table, Id code) const;

    bool logistic_, intercept_;
    Index width_, n_queries_, n_hashes_;
    std::unique_ptr<HashFamily> family_;
    Index padded_;               // L, up to whole lanes; what is added has the chance 0
    std::vector<Code> codes_;    // (N, padded)
    std::vector<Id> members_;    // (L, N): bucket by bucket
    std::vector<Index> begin_;   // (L, buckets + 1): of each bucket, among the members of its table
    std::vector<Bucket> found_;  // (queries, L)
    std::vector<Code> asked_;    // (queries, padded): codes of the queries
    std::vector<float>
        chances_;       // (queries, padded): of a member of the bucket when this table is asked; 0: it is empty
    double empty_ = 1;  // share of the buckets that are empty
    std::vector<Id> query_buckets_;  // (queries, L)
};

}  // namespace hashslide
