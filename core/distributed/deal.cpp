#include "distributed/deal.h"

#include <functional>
#include <queue>
#include <tuple>

#include "base/bad_input.h"
#include "base/interrupt.h"

namespace hashslide {

std::vector<Id> deal(std::span<const double> loads, std::span<const Id> order, Index n_shards) {
    constexpr std::size_t between_polls = 1 << 16;
    using Shard = std::tuple<double, Index, Index>;  // load, rows, number
    std::priority_queue<Shard, std::vector<Shard>, std::greater<>> shards;
    for (Index shard = 0; shard < n_shards; ++shard) shards.emplace(0.0, 0, shard);
    std::vector<Id> places(loads.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i % between_polls == 0) poll();
        const auto [load, rows, shard] = shards.top();
        const Index place = rows * n_shards + shard;
        if (place > INT32_MAX) throw BadInput("there are too many ids for one sharding, or one shard has most of them.");
        places[order[i]] = static_cast<Id>(place);
        shards.pop();
        shards.emplace(load + loads[order[i]], rows + 1, shard);
    }
    return places;
}

}  // namespace hashslide
