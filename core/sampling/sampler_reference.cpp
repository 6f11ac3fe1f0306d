// Samplers to compare with: they need no tables, and all but `uniform` look at every neuron.
#include <cmath>
#include <numeric>

#include "base/best_k.h"
#include "base/scratch.h"
#include "sampling/sampler_parts.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

constexpr Index query_block = 64, neuron_block = 512;  // a block's logits stay in the second-level cache

// Calls f(query, first, z, n) with the logits z[i] of the neurons first + i, for all neurons block by block.
// O(entries of the queries * neurons).
template <class F>
void for_all_logits(const SampleTask& task, Index first_query, Index last_query, F&& f) {
    const NeuronView& neurons = task.neurons;
    const Vectors queries = task.queries.part(first_query, last_query);
    float* z = scratch(query_block * neuron_block);
    for (Index first = 0; first < neurons.n; first += neuron_block) {
        const Index size = std::min(neuron_block, neurons.n - first);
        products(queries, neurons.weight.from(first), nullptr, size, z, size);
        for (Index q = 0; q < queries.n; ++q) {
            kernels().axpy(size, 1.0f, neurons.bias + first, z + q * size);
            f(first_query + q, first, z + q * size, size);
        }
    }
}

template <class F>
void for_query_blocks(const SampleTask& task, F&& f) {
    parallel_for(task.n_threads, 0, task.n(), query_block, f);
}

// Lists by query, one after the other.
void join(const std::vector<std::vector<Id>>& lists, const SampleTask& task, Selection& out) {
    choose_each(task, out,
                [&](Index q, std::vector<Id>& ids) { ids.insert(ids.end(), lists[q].begin(), lists[q].end()); });
}

}  // namespace

void sample_all(const SampleTask& task, Selection& out) {
    std::vector<Id> every(task.neurons.n);
    std::iota(every.begin(), every.end(), 0);
    choose_each(task, out,
                [&](Index, std::vector<Id>& ids) { DistinctIds(task.neurons.n, ids).append(every, task.neurons.n); });
}

void sample_uniform(const SampleTask& task, Selection& out) {
    choose_each(task, out, [&](Index q, std::vector<Id>& ids) {
        DistinctIds found(task.neurons.n, ids);
        for (Index i = 0; i < task.config.budget; ++i)
            found.add(static_cast<Id>(task.rng.below(task.draw(q, i), task.neurons.n)));
    });
}

void sample_exact(const SampleTask& task, Selection& out) {
    std::vector<BestK> best;
    for (Index q = 0; q < task.n(); ++q) best.emplace_back(task.limit(q));
    for_query_blocks(task, [&](Index begin, Index end) {
        for_all_logits(task, begin, end, [&](Index q, Index first, const float* z, Index n) {
            for (Index i = 0; i < n; ++i) {
                const Hit hit{z[i], static_cast<Id>(first + i)};
                if (!best[q].full() || hit < best[q].worst()) best[q].offer(hit);
            }
        });
    });
    choose_each(task, out, [&](Index q, std::vector<Id>& ids) {
        for (const Hit& hit : std::move(best[q]).sorted()) ids.push_back(hit.label);
    });
}

void sample_standout(const SampleTask& task, Selection& out) {
    std::vector<std::vector<Id>> lists(task.n());
    for_query_blocks(task, [&](Index begin, Index end) {
        for_all_logits(task, begin, end, [&](Index q, Index first, const float* z, Index n) {
            for (Index i = 0; i < n; ++i) {
                const Id id = static_cast<Id>(first + i);
                const float p = 1.0f / (1.0f + std::exp(-(task.config.alpha * z[i] + task.config.beta)));
                if (task.rng.uniform(task.draw(q, id)) < p) lists[q].push_back(id);
            }
        });
    });
    join(lists, task, out);
}

}  // namespace hashslide
