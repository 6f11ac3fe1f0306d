// How ids are dealt out to shards.
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace hashslide {

// The place of each id, local row * n_shards + shard: in the given order, each goes to the shard with the least load so
// far, of equal ones to that with the fewest rows. With the heaviest ids first no shard has more than 4/3 of the least
// possible largest load (Graham 1969). Ids without load, which come last, even out the rows. O(n log(n_shards)).
std::vector<Id> deal(std::span<const double> loads, std::span<const Id> order, Index n_shards);

}  // namespace hashslide
