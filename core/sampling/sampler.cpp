#include "sampling/sampler.h"

#include <cmath>
#include <stdexcept>

#include "base/bad_input.h"
#include "sampling/sampler_parts.h"

namespace hashslide {
namespace {

void sample_by_count(const SampleTask& task, Index min_count, Selection& out) {
    task.index->signs() ? sample_signs(task, min_count, out) : sample_frequent(task, min_count, out);
}

void run(const SampleTask& task, Selection& out) {
    switch (task.config.kind) {
        case SamplerKind::all:
            return sample_all(task, out);
        case SamplerKind::uniform:
            return sample_uniform(task, out);
        case SamplerKind::vanilla:
            return sample_vanilla(task, out);
        case SamplerKind::top:
            return sample_by_count(task, 1, out);
        case SamplerKind::threshold:
            return sample_by_count(task, task.config.min_count, out);
        case SamplerKind::scored:
            return sample_scored(task, out);
        case SamplerKind::exact:
            return sample_exact(task, out);
        case SamplerKind::standout:
            return sample_standout(task, out);
    }
}

// Those of hashing the queries and of looking at every neuron; sample_scored() adds its own.
double multiplications_of(const SampleTask& task) {
    const bool sees_all = task.config.kind == SamplerKind::exact || task.config.kind == SamplerKind::standout;
    const bool hashes = looks_up(task.config.kind);
    double sum = 0;
    for (Index q = 0; q < task.n() && (hashes || sees_all); ++q) {
        sum += hashes ? task.index->family().multiplications(task.index->map().entries_of(task.queries, q))
                      : static_cast<double>(task.queries.size(q)) * static_cast<double>(task.neurons.n);
    }
    return sum;
}

}  // namespace

void sample(const SamplerConfig& config, const NeuronIndex* index, const NeuronView& neurons, const Vectors& queries,
            const Selection* uncounted, const CounterRng& rng, Selection& out, int n_threads, bool same_draws) {
    out.multiplications = 0;
    if ((config.kind == SamplerKind::vanilla || config.kind == SamplerKind::scored) && index->signs())
        throw BadInput("sign codes have no buckets to look into. Use the sampler top or threshold, which count them.");
    if (looks_up(config.kind) && !index->ready()) {
        out.begin.assign(queries.n + 1, 0);
        out.ids.clear();
    } else {
        const SampleTask task{config, index, neurons, queries, uncounted, rng, n_threads, same_draws};
        run(task, out);
        out.multiplications += multiplications_of(task);
    }
}

double inclusion_probability(double p, Index hashes, Index tables) {
    const double missed = std::log1p(-std::pow(p, static_cast<double>(hashes)));
    return -std::expm1(static_cast<double>(tables) * missed);
}

}  // namespace hashslide
