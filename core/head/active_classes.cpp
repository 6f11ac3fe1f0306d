#include "head/active_classes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace hashslide {
namespace {

void sort_distinct(std::vector<Id>& ids) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

std::vector<Id> uniform_draws(const DrawSettings& settings) {
    const CounterRng rng(settings.seed, Stream::uniform_negatives, settings.step);
    std::vector<Id> drawn(settings.negatives);
    for (Index i = 0; i < settings.negatives; ++i)
        drawn[i] = static_cast<Id>(rng.below(static_cast<std::uint64_t>(i), settings.n_classes));
    sort_distinct(drawn);
    return drawn;
}

}  // namespace

ActiveClasses draw_active(const DrawSettings& settings, const HeadLabels& labels, Index n_counted,
                          const FoundClasses& found) {
    constexpr float never = std::numeric_limits<float>::infinity();
    const Index n = labels.size();
    const std::vector<Id> drawn = uniform_draws(settings);
    std::vector<Id> certain;
    if (found.begin) certain.assign(found.ids, found.ids + found.begin[labels.n_examples]);
    sort_distinct(certain);
    ActiveClasses active;
    active.ids.assign(labels.ids, labels.ids + n);
    active.ids.insert(active.ids.end(), drawn.begin(), drawn.end());
    active.ids.insert(active.ids.end(), certain.begin(), certain.end());
    sort_distinct(active.ids);

    const Index size = std::ssize(active.ids);
    std::vector<Index> carriers(size, 0);  // examples that carry a class
    for (Index i = 0; i < n; ++i) {
        const auto place = std::lower_bound(active.ids.begin(), active.ids.end(), static_cast<Id>(labels.ids[i]));
        active.places.push_back(static_cast<Id>(place - active.ids.begin()));
        ++carriers[active.places.back()];
    }

    const double others = settings.in_batch ? static_cast<double>(std::max<Index>(0, n_counted - 1)) : 0.0;
    const double undrawn = settings.negatives > 0 ? static_cast<double>(settings.negatives) *
                                                        std::log1p(-1.0 / static_cast<double>(settings.n_classes))
                                                  : 0.0;
    const bool is_by_chance = settings.negatives > 0 || (settings.counts && others > 0);
    const auto log_chance = [&](Id id) {
        if (!is_by_chance) return 0.0f;
        double absent = undrawn;
        if (settings.counts)
            absent += others * std::log1p(-(static_cast<double>(settings.counts[id]) + 0.5) /
                                          (static_cast<double>(settings.n_examples) + 1.0));
        return static_cast<float>(std::log(-std::expm1(absent)));
    };
    const bool are_given = settings.in_batch && !settings.counts;
    active.shift.resize(size);
    for (Index i = 0; i < size; ++i) active.shift[i] = are_given && carriers[i] > 0 ? 0.0f : log_chance(active.ids[i]);
    for (Index i = 0; i < n; ++i) {
        const Id place = active.places[i];
        active.target_shift.push_back(are_given && carriers[place] > 1 ? 0.0f : log_chance(active.ids[place]));
    }
    const auto each_of = [&](const std::vector<Id>& some, auto&& visit) {  // both ascend
        Index place = 0;
        for (const Id id : some) {
            while (active.ids[place] != id) ++place;
            visit(place);
        }
    };
    if (!settings.in_batch) {
        std::vector<float> of_drawn(size, never);
        each_of(drawn, [&](Index place) { of_drawn[place] = active.shift[place]; });
        active.shift.swap(of_drawn);
    }
    each_of(certain, [&](Index place) { active.shift[place] = 0.0f; });
    for (Index b = 0; found.begin && b < labels.n_examples; ++b)
        for (Index i = labels.begin[b]; i < labels.begin[b + 1]; ++i) {
            const Id* first = found.ids + found.begin[b];
            const Id* last = found.ids + found.begin[b + 1];
            if (std::find(first, last, static_cast<Id>(labels.ids[i])) != last) active.target_shift[i] = 0.0f;
        }
    return active;
}

}  // namespace hashslide
