#include "linear/bucket_sampler.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/parallel.h"
#include "families/make_family.h"

namespace hashslide {
namespace {

constexpr Index block = 256;  // examples that are hashed at once
constexpr Index sums = 8;     // that are kept side by side, so that they are vectorised

// Sparse vectors that are put together entry by entry.
struct SparseList {
    std::vector<float> values;
    std::vector<Index> begin{0};
    std::vector<Id> ids;

    void add(Index id, float value) {
        if (value == 0.0f) return;
        ids.push_back(static_cast<Id>(id));
        values.push_back(value);
    }
    Vectors view(Index width) const {
        return {std::ssize(begin) - 1, width, true, values.data(), begin.data(), ids.data()};
    }
};

// Examples first .. last - 1 as the tables hold them.
SparseList lifted(const LinearExamples& examples, Index first, Index last) {
    const Vectors& x = examples.x;
    const bool logistic = examples.loss == LinearLoss::logistic;
    SparseList out;
    for (Index i = first; i < last; ++i) {
        const float sign = logistic ? examples.y[i] : 1.0f;
        const Index begin = examples.first_entry(i);
        for (Index e = 0; e < x.size(i); ++e) out.add(x.sparse ? x.ids[begin + e] : e, sign * x.values[begin + e]);
        if (examples.intercept) out.add(x.width, sign);
        if (!logistic) out.add(x.width + 1, examples.y[i]);
        out.begin.push_back(std::ssize(out.values));
    }
    return out;
}

}  // namespace

BucketSampler::BucketSampler(const LinearExamples& examples, const HashFamilyConfig& family, double uniform_share,
                             std::uint64_t seed, int n_threads)
    : MixedSampler(examples.n(), uniform_share),
      logistic_(examples.loss == LinearLoss::logistic),
      intercept_(examples.intercept),
      width_(examples.x.width),
      n_queries_(logistic_ ? 1 : 2),
      n_hashes_(family.tables * family.hashes),
      family_(make_hash_family(family, width_ + 2, examples.n(), seed)),
      padded_((family.tables + sums - 1) / sums * sums),
      found_(n_queries_ * family.tables),
      asked_(n_queries_ * padded_),
      chances_(n_queries_ * padded_),
      query_buckets_(found_.size()) {
    family_->draw(0, n_threads);
    hash(examples, n_threads);
    fill_tables();
}

void BucketSampler::hash(const LinearExamples& examples, int n_threads) {
    const Index tables = family_->n_tables();
    codes_.resize(n() * padded_);
    parallel_for(n_threads, 0, n(), block, [&](Index first, Index last) {
        std::vector<Id> buckets((last - first) * tables);
        family_->hash(lifted(examples, first, last).view(family_->width()), buckets.data());
        for (Index i = first; i < last; ++i)
            std::copy_n(buckets.begin() + (i - first) * tables, tables, codes_.begin() + i * padded_);
    });
}

// A counting sort for each table.
void BucketSampler::fill_tables() {
    const Index tables = family_->n_tables(), stride = family_->n_buckets() + 1;
    begin_.assign(tables * stride, 0);
    members_.resize(tables * n());
    for (Index i = 0; i < n(); ++i)
        for (Index t = 0; t < tables; ++t) ++begin_[t * stride + codes_[i * padded_ + t] + 1];
    for (auto first = begin_.begin(); first != begin_.end(); first += stride)
        std::partial_sum(first, first + stride, first);
    std::vector<Index> next = begin_;
    for (Index i = 0; i < n(); ++i)
        for (Index t = 0; t < tables; ++t)
            members_[t * n() + next[t * stride + codes_[i * padded_ + t]]++] = static_cast<Id>(i);
}

BucketSampler::Bucket BucketSampler::bucket(Index table, Id code) const {
    const Index* begin = begin_.data() + table * (family_->n_buckets() + 1) + code;
    return {members_.data() + table * n() + begin[0], begin[1] - begin[0]};
}

// A query of zeros has no direction: then all buckets count as empty, and every draw is uniform.
void BucketSampler::follow(const float* weights, float intercept) {
    const Index tables = family_->n_tables();
    const float sign = logistic_ ? -1.0f : 1.0f;
    SparseList query;
    for (Index j = 0; j < width_; ++j) query.add(j, sign * weights[j]);
    if (intercept_) query.add(width_, sign * intercept);
    if (!logistic_) query.add(width_ + 1, -1.0f);
    query.begin.push_back(std::ssize(query.values));
    for (Index q = 0; q < n_queries_; ++q) {
        family_->hash(query.view(family_->width()), query_buckets_.data() + q * tables);
        for (float& value : query.values) value = -value;
    }
    Index n_empty = 0;
    for (Index f = 0; f < std::ssize(found_); ++f) {
        const Index t = f % tables, at = f / tables * padded_ + t;
        found_[f] = query.values.empty() ? Bucket{} : bucket(t, query_buckets_[f]);
        asked_[at] = static_cast<Code>(query_buckets_[f]);
        chances_[at] = found_[f].size > 0 ? 1.0f / static_cast<float>(found_[f].size) : 0.0f;
        n_empty += found_[f].size == 0;
    }
    empty_ = static_cast<double>(n_empty) / static_cast<double>(found_.size());
}

double BucketSampler::follow_cost() const { return static_cast<double>(n_queries_ * family_->width() * n_hashes_); }

Id BucketSampler::draw_one(const CounterRng& rng, std::uint64_t counter) const {
    const Bucket& found = found_[rng.below(counter, std::ssize(found_))];
    if (found.size == 0) return static_cast<Id>(rng.below(counter + 1, n()));
    return found.members[rng.below(counter + 1, found.size)];
}

double BucketSampler::chance(Id example) const {
    const Code* codes = codes_.data() + example * padded_;
    std::array<float, sums> sum{};
    for (Index q = 0; q < n_queries_; ++q) {
        const Code* asked = asked_.data() + q * padded_;
        const float* chances = chances_.data() + q * padded_;
        for (Index t = 0; t < padded_; t += sums)
            for (Index s = 0; s < sums; ++s) sum[s] += codes[t + s] == asked[t + s] ? chances[t + s] : 0.0f;
    }
    const double found = std::accumulate(sum.begin(), sum.end(), 0.0);
    return found / static_cast<double>(found_.size()) + empty_ / static_cast<double>(n());
}

std::vector<Id> BucketSampler::codes() const {
    std::vector<Id> codes;
    for (Index i = 0; i < n(); ++i)
        codes.insert(codes.end(), codes_.begin() + i * padded_, codes_.begin() + i * padded_ + family_->n_tables());
    return codes;
}

std::vector<Id> BucketSampler::query_codes() const {
    std::vector<Id> codes = query_buckets_;
    for (std::size_t f = 0; f < codes.size(); ++f)
        if (found_[f].size == 0) codes[f] = -1;
    return codes;
}

}  // namespace hashslide
