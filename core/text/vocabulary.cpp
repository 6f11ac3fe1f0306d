#include "text/vocabulary.h"

#include <bit>

namespace hashslide {

std::vector<Id> slots_of(const TermHash* hashes, Index n) {
    std::vector<Id> slots(std::bit_ceil(static_cast<std::size_t>(2 * n + 2)), -1);
    const std::size_t mask = slots.size() - 1;
    for (Index feature = 0; feature < n; ++feature) {
        std::size_t at = hashes[feature] & mask;
        while (slots[at] >= 0) at = (at + 1) & mask;
        slots[at] = static_cast<Id>(feature);
    }
    return slots;
}

bool is_table(const Id* slots, Index n_slots, Index n_features) {
    if (n_slots <= 0 || !std::has_single_bit(static_cast<std::size_t>(n_slots))) return false;
    bool has_end = false;
    for (Index at = 0; at < n_slots; ++at) {
        if (slots[at] < -1 || slots[at] >= n_features) return false;
        has_end = has_end || slots[at] < 0;
    }
    return has_end;
}

}  // namespace hashslide
