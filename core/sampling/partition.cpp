#include "sampling/partition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/scratch.h"
#include "sampling/sampler_parts.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// log of the sum of exp(x), safe from overflow.
double log_sum_exp(const std::vector<double>& x) {
    if (x.empty()) return -std::numeric_limits<double>::infinity();
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const double v : x) sum += std::exp(v - largest);
    return largest + std::log(sum);
}

}  // namespace

WeightedSelection weigh_found(const Selection& found, const NeuronIndex& index, Index hashes, const NeuronView& neurons,
                              const float* queries, int n_threads) {
    WeightedSelection out{found, std::vector<double>(found.ids.size())};
    parallel_for(n_threads, 0, static_cast<Index>(found.begin.size()) - 1, 1, [&](Index q, Index) {
        VectorList memory;
        const Vectors given = Vectors::dense(queries + q * neurons.width(), 1, neurons.width());
        const float* query = index.map().map_queries(given, memory).values;
        float* neuron = scratch(index.map().width());
        for (Index i = found.begin[q]; i < found.begin[q + 1]; ++i) {
            index.map().map_neurons(neurons, &found.ids[i], 1, neuron, nullptr);
            const double p = index.family().collision_probability(neuron, query);
            out.probability[i] = inclusion_probability(p, hashes, index.n_tables());
        }
    });
    return out;
}

WeightedSelection add_uniform(const Selection& found, Index n_neurons, Index draws, const CounterRng& rng,
                              int n_threads) {
    const Index n = static_cast<Index>(found.begin.size()) - 1;
    const SamplerConfig config{.kind = SamplerKind::uniform, .budget = draws};
    WeightedSelection out;
    Selection drawn;
    sample(config, nullptr, {{}, nullptr, n_neurons}, Vectors::dense(nullptr, n, 0), nullptr, rng, drawn, n_threads);
    const double chance = inclusion_probability(1.0 / static_cast<double>(n_neurons), 1, draws);
    out.chosen.begin.assign(1, 0);
    for (Index q = 0; q < n; ++q) {
        DistinctIds distinct(n_neurons, out.chosen.ids);
        distinct.append(found.of(q), n_neurons);
        out.probability.resize(out.chosen.ids.size(), 1.0);
        distinct.append(drawn.of(q), n_neurons);
        out.probability.resize(out.chosen.ids.size(), chance);
        out.chosen.begin.push_back(static_cast<Index>(out.chosen.ids.size()));
    }
    return out;
}

void log_partition(const WeightedSelection& sample, const NeuronView& neurons, const float* queries, Index n,
                   double* out, int n_threads) {
    const Index width = neurons.width();
    parallel_for(n_threads, 0, n, 1, [&](Index q, Index) {
        std::vector<double> terms;
        for (Index i = sample.chosen.begin[q]; i < sample.chosen.begin[q + 1]; ++i) {
            const Id id = sample.chosen.ids[i];
            const float z = neurons.weight.dot(id, queries + q * width) + neurons.bias[id];
            terms.push_back(z - std::log(sample.probability[i]));
        }
        out[q] = log_sum_exp(terms);
    });
}

}  // namespace hashslide
