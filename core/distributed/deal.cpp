#include "distributed/deal.h"

#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

#include "base/bad_input.h"
#include "base/interrupt.h"

namespace hashslide {
namespace {

using Shard = std::tuple<double, Index, Index>;  // load, rows, number
using Queue = std::priority_queue<Shard, std::vector<Shard>, std::greater<>>;

// As if none had any load, so that the rows alone decide.
Queue without_loads(Queue shards) {
    Queue queue;
    for (; !shards.empty(); shards.pop()) queue.emplace(0.0, std::get<1>(shards.top()), std::get<2>(shards.top()));
    return queue;
}

}  // namespace

std::vector<Id> deal(std::span<const double> loads, std::span<const Id> order, Index n_shards) {
    constexpr std::size_t between_polls = 1 << 16;
    Queue shards;
    for (Index shard = 0; shard < n_shards; ++shard) shards.emplace(0.0, 0, shard);
    std::vector<Id> places(loads.size());
    bool has_load = true;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i % between_polls == 0) poll();
        const double own = loads[order[i]];
        if (own == 0 && std::exchange(has_load, false)) shards = without_loads(std::move(shards));
        const auto [load, rows, shard] = shards.top();
        const Index place = rows * n_shards + shard;
        if (place > INT32_MAX)
            throw BadInput("there are too many ids for one sharding, or one shard has most of them.");
        places[order[i]] = static_cast<Id>(place);
        shards.pop();
        shards.emplace(load + own, rows + 1, shard);
    }
    return places;
}

}  // namespace hashslide
