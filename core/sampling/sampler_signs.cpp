// The samplers that count tables, where the tables are bits of packed codes: a scan of all codes.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sampling/sampler_parts.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index blocks_at_once = 256;  // blocks of neurons whose codes stay in a cache for the queries of a group
constexpr Index queries_at_once = 16;  // queries
constexpr Index queries_abreast = 4;   // of these, whose distances stay in the nearest cache
constexpr Index least_part = 1 << 13;  // blocks that are worth a thread of their own, where there are few queries

// Of the neurons that one query has met so far, those nearest to it, in the order of their ids. O(1) for each neuron
// that is offered, and O(bits) for each cut.
class Nearest {
public:
    Nearest(Index limit, Index farthest) : limit_(limit), farthest_(farthest), most_(farthest) {}

    // At this distance a neuron may still belong to the nearest; below 0: none may.
    Index farthest() const { return farthest_; }
    void offer(std::span<const Id> ids, const std::uint16_t* distances, Id first) {
        const std::size_t size = found_.size();
        found_.resize(size + ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) found_[size + i] = {ids[i], distances[ids[i] - first]};
        if (std::ssize(found_) >= 2 * limit_ + 1024) cut();
    }
    void add(const Nearest& other) { found_.insert(found_.end(), other.found_.begin(), other.found_.end()); }
    // In the order of choice: the smaller distance first, then the smaller id.
    void write(std::vector<Id>& ids) {
        cut();
        std::vector<Index>& place = offsets();
        const std::size_t begin = ids.size();
        ids.resize(begin + found_.size());
        for (const Found f : found_) ids[begin + static_cast<std::size_t>(place[f.distance]++)] = f.id;
    }

private:
    struct Found {
        Id id;
        std::uint16_t distance;
    };

    // How many are nearer than each distance.
    std::vector<Index>& offsets() const {
        thread_local std::vector<Index> nearer;
        nearer.assign(most_ + 2, 0);
        for (const Found f : found_) ++nearer[f.distance + 1];
        for (std::size_t d = 1; d < nearer.size(); ++d) nearer[d] += nearer[d - 1];
        return nearer;
    }
    // Of equally near ones at the limit those of smaller ids stay; later ones, whose ids are larger, have to be nearer.
    void cut() {
        if (std::ssize(found_) <= limit_) return;
        const std::vector<Index>& nearer = offsets();
        Index last = 0;
        while (nearer[last + 1] < limit_) ++last;
        Index left = limit_ - nearer[last];  // places for those at the last distance
        std::size_t kept = 0;                // without a branch, which nothing could predict
        for (const Found f : found_) {
            found_[kept] = f;
            kept += f.distance < last || (f.distance == last && left > 0);
            left -= f.distance == last;
        }
        found_.resize(kept);
        farthest_ = last - 1;
    }

    Index limit_, farthest_, most_;
    std::vector<Found> found_;
};

// Offers the neurons of some blocks to some queries.
void scan(const SignCodes& codes, Index first_block, Index last_block, const std::uint64_t* queries,
          std::span<Nearest> nearest) {
    std::uint16_t distances[queries_abreast * blocks_at_once * code_lanes];
    Id ids[blocks_at_once * code_lanes];
    const Index n_queries = std::ssize(nearest);
    for (Index block = first_block; block < last_block; block += blocks_at_once) {
        const Index n_blocks = std::min(blocks_at_once, last_block - block), n = n_blocks * code_lanes;
        const Id first = static_cast<Id>(block * code_lanes);
        for (Index begin = 0; begin < n_queries; begin += queries_abreast) {
            const Index end = std::min(begin + queries_abreast, n_queries);
            codes.distances(queries + begin * codes.words(), end - begin, block, n_blocks, distances);
            for (Index q = begin; q < end; ++q) {
                if (nearest[q].farthest() < 0) continue;
                const std::uint16_t* own = distances + (q - begin) * n;
                const auto farthest = static_cast<std::uint16_t>(nearest[q].farthest());
                const Index found = kernels().at_most(n, own, farthest, first, ids);
                nearest[q].offer({ids, static_cast<std::size_t>(found)}, own, first);
            }
        }
    }
}

}  // namespace

// Few queries are shared by the threads neuron by neuron, many query by query; the result is the same.
void sample_signs(const SampleTask& task, Index min_count, Selection& out) {
    const SignCodes& codes = *task.index->signs();
    const std::vector<std::uint64_t> queries = task.index->query_signs(task.queries, task.n_threads);
    const Index groups = (task.n() + queries_at_once - 1) / queries_at_once, blocks = codes.n_blocks();
    const Index wanted = groups >= task.n_threads ? 1 : task.n_threads;
    const Index parts = std::clamp<Index>(blocks / least_part, 1, wanted), per_part = (blocks + parts - 1) / parts;
    const Index farthest = std::max<Index>(codes.bits() - min_count, -1);  // no code has more equal bits than bits
    std::vector<Nearest> nearest;
    for (Index i = 0; i < parts * task.n(); ++i) nearest.emplace_back(task.limit(i % task.n()), farthest);
    parallel_for(task.n_threads, 0, parts * groups, 1, [&](Index piece, Index) {
        const Index part = piece / groups, first = piece % groups * queries_at_once,
                    n = std::min(queries_at_once, task.n() - first);
        scan(
            codes, part * per_part, std::min(blocks, (part + 1) * per_part), queries.data() + first * codes.words(),
            std::span(nearest).subspan(static_cast<std::size_t>(part * task.n() + first), static_cast<std::size_t>(n)));
    });
    choose_each(task, out, [&](Index q, std::vector<Id>& ids) {
        for (Index part = 1; part < parts; ++part) nearest[q].add(nearest[part * task.n() + q]);
        nearest[q].write(ids);
    });
}

}  // namespace hashslide
