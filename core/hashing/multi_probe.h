// The buckets of one table in the order in which they promise most to a query.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "hashing/codes.h"

namespace hashslide {

// Query-directed probing (Lv, Josephson, Wang, Charikar & Li 2007): an elementary hash that was decided by a small gap
// is likely to differ between a query and its neighbour. Changes of one or more hashes are tried by growing sum of the
// squared gaps. O(probes log probes) a table, plus sorting K gaps. Keep one for many queries: it holds the memory.
class MultiProbe {
public:
    explicit MultiProbe(const Codes& codes) : codes_(codes) {}

    // For table t, from the sum of the query's own bucket and, at the given stride, the values of all elementary
    // hashes, their second choices and the gaps to them (infinity: none). out: `probes` different buckets; -1: no more.
    void operator()(Index t, std::uint64_t sum, const Id* values, const Id* seconds, const float* gaps, Index stride,
                    Index probes, Id* out);

private:
    struct Change {
        double cost;
        std::uint64_t difference;
    };
    // Some of the first last + 1 changes, change `last` among them.
    struct Step {
        double cost;
        std::uint64_t order;
        std::size_t last;
        std::uint64_t sum;
        bool operator<(const Step& o) const { return cost != o.cost ? cost > o.cost : order > o.order; }
    };
    void push(double cost, std::size_t last, std::uint64_t sum);
    Step pop();

    const Codes& codes_;
    std::vector<Change> changes_;
    std::vector<Step> heap_;
    std::uint64_t pushed_ = 0;
};

}  // namespace hashslide
