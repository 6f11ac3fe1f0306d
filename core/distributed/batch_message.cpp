#include "distributed/batch_message.h"

#include <bit>
#include <cmath>

namespace hashslide {
namespace {

// Numbers of 4 bytes: the counts below; then, one for each example, its features here, its labels here, all its labels,
// its weight; then places and values of the features, and places of the labels.
enum Header { n_rows, n_features, n_labels, header_size };

struct Draft {
    std::vector<Id> features_of, labels_of, features, values, labels;
};

template <class... Parts>
void append(std::vector<Id>& message, const Parts&... parts) {
    (message.insert(message.end(), parts.begin(), parts.end()), ...);
}

}  // namespace

std::vector<std::vector<Id>> write_messages(const Places& places, const CsrInput& x, const CsrInput& y,
                                            std::span<const Index> rows, const ExampleWeights& weights,
                                            const CounterRng& dropout, std::vector<char>& has_features) {
    constexpr std::size_t ahead = 4;  // rows lie far apart
    const float scale = weights.scale / (1.0f - weights.dropout);
    std::vector<Draft> drafts(places.n_ranks());
    std::vector<Id> all_labels, example_weight;
    has_features.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i + 2 * ahead < rows.size()) x.prefetch_offset(rows[i + 2 * ahead]);
        if (i + ahead < rows.size()) x.prefetch(rows[i + ahead]);
        const Index row = rows[i];
        for (Draft& draft : drafts) {
            draft.features_of.push_back(static_cast<Id>(draft.features.size()));
            draft.labels_of.push_back(static_cast<Id>(draft.labels.size()));
        }
        std::uint64_t draw = static_cast<std::uint64_t>(row) << 32;
        char is_any = 0;
        x.each(row, [&](Id id, Index entry) {
            if (weights.dropout > 0 && dropout.uniform(draw++) < weights.dropout) return;
            const float value = x.value(entry) * scale;
            if (value == 0) return;
            is_any = 1;
            Draft& draft = drafts[places.shard(places.features[id]) / places.n_owned];
            draft.features.push_back(places.features[id]);
            draft.values.push_back(std::bit_cast<Id>(value));
        });
        Id labels = 0;
        y.each(row, [&](Id id, Index) {
            drafts[places.shard(places.labels[id]) / places.n_owned].labels.push_back(places.labels[id]);
            ++labels;
        });
        float weight = weights.sample_weight ? weights.sample_weight[row] : 1.0f;
        if (weights.example_power != 0)
            weight *= std::pow(weights.mean_labels / static_cast<float>(std::max(1, labels)), weights.example_power);
        has_features.push_back(is_any);
        all_labels.push_back(labels);
        example_weight.push_back(std::bit_cast<Id>(weight));
        for (Draft& draft : drafts) {
            draft.features_of.back() = static_cast<Id>(draft.features.size()) - draft.features_of.back();
            draft.labels_of.back() = static_cast<Id>(draft.labels.size()) - draft.labels_of.back();
        }
    }
    std::vector<std::vector<Id>> messages(drafts.size());
    for (std::size_t rank = 0; rank < drafts.size(); ++rank) {
        const Draft& d = drafts[rank];
        messages[rank].reserve(header_size + 4 * rows.size() + 2 * d.features.size() + d.labels.size());
        messages[rank] = {static_cast<Id>(rows.size()), static_cast<Id>(d.features.size()),
                          static_cast<Id>(d.labels.size())};
        append(messages[rank], d.features_of, d.labels_of, all_labels, example_weight, d.features, d.values, d.labels);
    }
    return messages;
}

Index read_message(const Places& places, std::span<const Id> message, std::span<const std::unique_ptr<ModelShard>> shards,
                   Index first, BatchRows& rows) {
    const Id* at = message.data() + header_size;
    const auto take = [&](Index n) {
        const Id* part = at;
        at += n;
        return part;
    };
    const Index n = message[n_rows];
    const Id *features_of = take(n), *labels_of = take(n), *all_labels = take(n), *weight = take(n);
    const Id *features = take(message[n_features]), *values = take(message[n_features]), *labels = take(message[n_labels]);
    for (Index b = 0; b < n; ++b) {
        for (Id i = 0; i < features_of[b]; ++i, ++features, ++values)
            shards[places.shard(*features) - first]->features().add(places.local(*features),
                                                                    std::bit_cast<float>(*values));
        for (Id i = 0; i < labels_of[b]; ++i, ++labels)
            shards[places.shard(*labels) - first]->add_label(places.local(*labels));
        for (const auto& shard : shards) shard->end_example();
        rows.n_labels.push_back(all_labels[b]);
        rows.weight.push_back(std::bit_cast<float>(weight[b]));
    }
    return n;
}

}  // namespace hashslide
