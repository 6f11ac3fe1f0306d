// The neurons of largest inner product among those that the look-ups find.
#include "base/best_k.h"
#include "base/scratch.h"
#include "sampling/sampler_parts.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index tile = 128;  // neurons scored at once

// Look-ups of the batch that see the same bucket share one pass over its rows.
struct Group {
    Index table;
    Id bucket;
    std::span<const Index> looks;
};

// Sorts the numbers of the look-ups by table and bucket; empty look-ups stay out. O(looks log looks).
std::vector<Group> group_by_bucket(const LookUps& look_ups, std::vector<Index>& looks) {
    const std::vector<Id>& buckets = look_ups.buckets();
    const auto table = [&](Index look) { return look / look_ups.probes() % look_ups.tables(); };
    const auto same = [&](Index a, Index b) { return buckets[a] == buckets[b] && table(a) == table(b); };
    looks.clear();
    for (Index look = 0; look < static_cast<Index>(buckets.size()); ++look)
        if (buckets[look] >= 0) looks.push_back(look);
    std::sort(looks.begin(), looks.end(), [&](Index a, Index b) {
        if (table(a) != table(b)) return table(a) < table(b);
        return buckets[a] != buckets[b] ? buckets[a] < buckets[b] : a < b;
    });
    std::vector<Group> groups;
    for (std::size_t i = 0, end; i < looks.size(); i = end) {
        for (end = i + 1; end < looks.size() && same(looks[i], looks[end]);) ++end;
        groups.push_back({table(looks[i]), buckets[looks[i]], {looks.data() + i, end - i}});
    }
    return groups;
}

// hits[look] = the best of the bucket for the look's query.
void score_group(const SampleTask& task, const Group& group, Index looks_a_query, std::vector<std::vector<Hit>>& hits) {
    const Index n_looks = static_cast<Index>(group.looks.size());
    const std::span<const Id> bucket = task.index->bucket(group.table, group.bucket);
    thread_local VectorList queries;
    queries.start(task.queries.width, task.queries.sparse);
    for (const Index look : group.looks) queries.append(task.queries, look / looks_a_query);
    float* z = scratch<2>(n_looks * tile);
    std::vector<BestK> best;
    for (const Index look : group.looks) best.emplace_back(task.limit(look / looks_a_query));
    for (std::size_t first = 0; first < bucket.size(); first += tile) {
        const std::span<const Id> part = bucket.subspan(first, std::min<std::size_t>(tile, bucket.size() - first));
        products(queries.view(), task.neurons.weight, part.data(), std::ssize(part), z, tile);
        for (Index l = 0; l < n_looks; ++l)
            for (std::size_t i = 0; i < part.size(); ++i) {
                const Hit hit{z[l * tile + i] + task.neurons.bias[part[i]], part[i]};
                if (!best[l].full() || hit < best[l].worst()) best[l].offer(hit);
            }
    }
    for (Index l = 0; l < n_looks; ++l) hits[group.looks[l]] = best[l].hits();
}

// The best of what the looks of one query have found. A neuron met in several tables counts once.
void merge(const SampleTask& task, Index query, std::span<const std::vector<Hit>> of_looks, std::vector<Id>& ids) {
    std::vector<Hit> all;
    std::vector<Id> met;
    DistinctIds distinct(task.neurons.n, met);
    const Index limit = task.limit(query);
    for (const std::vector<Hit>& hits : of_looks)
        for (const Hit& hit : hits)
            if (distinct.add(hit.label)) all.push_back(hit);
    if (static_cast<Index>(all.size()) > limit) {
        std::nth_element(all.begin(), all.begin() + limit, all.end());
        all.resize(limit);
    }
    std::sort(all.begin(), all.end());
    for (const Hit& hit : all) ids.push_back(hit.label);
}

}  // namespace

void sample_scored(const SampleTask& task, Selection& out) {
    const LookUps look_ups(task);
    const Index looks_a_query = look_ups.tables() * look_ups.probes();
    std::vector<Index> looks;
    const std::vector<Group> groups = group_by_bucket(look_ups, looks);
    std::vector<std::vector<Hit>> hits(look_ups.buckets().size());
    parallel_for(task.n_threads, 0, static_cast<Index>(groups.size()), 4, [&](Index first, Index last) {
        for (Index g = first; g < last; ++g) score_group(task, groups[g], looks_a_query, hits);
    });
    for (const Group& group : groups)
        for (const Index look : group.looks)
            out.multiplications += static_cast<double>(task.queries.size(look / looks_a_query)) *
                                   static_cast<double>(task.index->bucket(group.table, group.bucket).size());
    choose_each(task, out, [&](Index q, std::vector<Id>& ids) {
        merge(task, q, {hits.data() + q * looks_a_query, static_cast<std::size_t>(looks_a_query)}, ids);
    });
}

}  // namespace hashslide
