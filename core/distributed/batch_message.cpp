#include "distributed/batch_message.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/prefetch.h"

namespace hashslide {
namespace {

// Numbers of 4 bytes: the counts below; then, one for each example, its features here, its labels here, twice the
// number of all its labels plus whether it has any feature, its weight; then pairs of the place and the value of a
// feature, and the places of the labels.
enum Header { n_rows, n_features, n_labels, header_size };

struct Feature {
    Id place;
    float value;
};

struct Draft {
    std::vector<Id> features_of, labels_of, labels;
    std::vector<Feature> features;
};

template <class... Parts>
void append(std::vector<Id>& message, const Parts&... parts) {
    (message.insert(message.end(), parts.begin(), parts.end()), ...);
}

}  // namespace

std::vector<std::vector<Id>> write_messages(const Places& places, const CsrInput& x, const CsrInput& y,
                                            std::span<const Index> rows, const ExampleWeights& weights,
                                            const CounterRng& dropout) {
    constexpr Index ahead = 4;  // rows lie far apart
    const float scale = weights.scale / (1.0f - weights.dropout);
    const auto n = static_cast<Index>(rows.size());
    thread_local std::vector<Draft> kept;  // for their memory
    std::vector<Draft>& drafts = kept;
    drafts.resize(places.n_ranks());
    for (Draft& draft : drafts) {
        draft.features_of.assign(n, 0);
        draft.labels_of.assign(n, 0);
        draft.labels.clear();
        draft.features.clear();
    }
    std::vector<Id> facts(n, 0), example_weight(n);
    std::vector<std::pair<Id, float>> features;  // of a row
    for (Index i = 0; i < n; ++i) {
        if (i + 2 * ahead < n) x.prefetch_offset(rows[i + 2 * ahead]);
        if (i + ahead < n) x.prefetch(rows[i + ahead]);
        const Index row = rows[i];
        std::uint64_t draw = static_cast<std::uint64_t>(row) << 32;
        features.clear();
        x.each(row, [&](Id id, Index entry) {
            if (weights.dropout > 0 && dropout.uniform(draw++) < weights.dropout) return;
            hashslide::prefetch(places.features.data() + id);
            features.emplace_back(id, x.value(entry) * scale);
        });
        for (const auto& [id, value] : features) {
            if (value == 0) continue;
            const Id place = places.features[id];
            Draft& draft = drafts[places.owner(place)];
            draft.features.push_back({place, value});
            ++draft.features_of[i];
            facts[i] |= 1;
        }
        y.each(row, [&](Id id, Index) {
            Draft& draft = drafts[places.owner(places.labels[id])];
            draft.labels.push_back(places.labels[id]);
            ++draft.labels_of[i];
            facts[i] += 2;
        });
        float weight = weights.sample_weight ? weights.sample_weight[row] : 1.0f;
        if (weights.example_power != 0)
            weight *=
                std::pow(weights.mean_labels / static_cast<float>(std::max(1, facts[i] >> 1)), weights.example_power);
        example_weight[i] = std::bit_cast<Id>(weight);
    }
    std::vector<std::vector<Id>> messages(drafts.size());
    for (std::size_t rank = 0; rank < drafts.size(); ++rank) {
        const Draft& d = drafts[rank];
        const Index n_entries = std::ssize(d.features);
        messages[rank].reserve(header_size + 4 * n + 2 * n_entries + std::ssize(d.labels));
        messages[rank] = {static_cast<Id>(n), static_cast<Id>(n_entries), static_cast<Id>(d.labels.size())};
        const std::span entries(reinterpret_cast<const Id*>(d.features.data()), 2 * d.features.size());
        append(messages[rank], d.features_of, d.labels_of, facts, example_weight, entries, d.labels);
    }
    return messages;
}

Index read_message(const Places& places, std::span<const Id> message,
                   std::span<const std::unique_ptr<ModelShard>> shards, Index first, BatchRows& rows) {
    const Id* at = message.data() + header_size;
    const auto take = [&](Index n) {
        const Id* part = at;
        at += n;
        return part;
    };
    const Index n = message[n_rows];
    const Id *features_of = take(n), *labels_of = take(n), *facts = take(n), *weight = take(n);
    const Id *features = take(2 * message[n_features]), *labels = take(message[n_labels]);
    for (Index b = 0; b < n; ++b) {
        for (Id i = 0; i < features_of[b]; ++i, features += 2)
            shards[places.shard(features[0]) - first]->features().add(places.local(features[0]),
                                                                      std::bit_cast<float>(features[1]));
        for (Id i = 0; i < labels_of[b]; ++i, ++labels)
            shards[places.shard(*labels) - first]->add_label(places.local(*labels));
        for (const auto& shard : shards) shard->end_example();
        rows.n_labels.push_back(facts[b] >> 1);
        rows.has_features.push_back(facts[b] & 1);
        rows.weight.push_back(std::bit_cast<float>(weight[b]));
    }
    return n;
}

}  // namespace hashslide
