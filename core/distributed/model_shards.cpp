#include "distributed/model_shards.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/parallel.h"
#include "base/scratch.h"
#include "inference/topk.h"

namespace hashslide {
namespace {

constexpr Index row_block = 16;  // examples of one piece of work

}  // namespace

ModelShards::ModelShards(const NetworkConfig& config, const Places& places, Index rank, bool activates_all,
                         std::vector<std::vector<Id>> features, std::vector<std::vector<Id>> labels)
    : config_(config),
      places_(places),
      rank_(rank),
      activates_all_(activates_all),
      function_(config.hidden.front().function()),
      products_(make_active_products(config.precision)),
      bias_(config.width()),
      bias_optimizer_(config.optimizer, 1, config.width()) {
    for (std::size_t i = 0; i < features.size(); ++i)
        shards_.push_back(std::make_unique<ModelShard>(config, std::move(features[i]), std::move(labels[i])));
}

template <class F>
void ModelShards::each_shard(int n_threads, F&& f) {
    if (n_owned() < n_threads) {
        for (Index i = 0; i < n_owned(); ++i) f(*shards_[i], i, n_threads);
    } else {
        parallel_for(n_threads, 0, n_owned(), 1, [&](Index i, Index) { f(*shards_[i], i, 1); });
    }
}

ModelShards::Range ModelShards::activated() const {
    if (activates_all_) return {0, rows_.size()};
    const Index first = std::accumulate(examples_of_.begin(), examples_of_.begin() + rank_, Index{0});
    return {first, first + examples_of_[rank_]};
}

const float* ModelShards::joined(std::span<const std::span<const float>> parts, std::vector<float>& copy) {
    if (parts.size() == 1) return parts.front().data();
    copy.clear();
    for (const std::span<const float> part : parts) copy.insert(copy.end(), part.begin(), part.end());
    return copy.data();
}

std::vector<std::vector<Id>> ModelShards::write(const CsrInput& x, const CsrInput& y, std::span<const Index> rows,
                                                const float* sample_weight, Index ahead) const {
    const ExampleWeights weights{config_.input_scale, config_.input_dropout, config_.example_power, mean_labels_,
                                 sample_weight};
    const CounterRng dropout(config_.seed, Stream::input_dropout, step_ + 1 + ahead);
    return write_messages(places_, x, y, rows, weights, dropout);
}

std::span<float> ModelShards::add_up(std::span<const std::span<const Id>> messages, int n_threads) {
    const FlushDenormals flush;
    for (const auto& shard : shards_) shard->start_batch();
    rows_.clear();
    examples_of_.clear();
    for (const std::span<const Id> message : messages)
        examples_of_.push_back(read_message(places_, message, shards_, first(), rows_));
    const CounterRng rng(config_.seed, Stream::uniform_negatives, step_ + 1);
    for (Index i = 0; i < config_.active.uniform; ++i) {
        const Id place = places_.labels[rng.below(static_cast<std::uint64_t>(i), config_.n_labels)];
        const Index shard = places_.shard(place) - first();
        if (shard >= 0 && shard < n_owned()) shards_[shard]->add_draw(places_.local(place));
    }
    return add_up(n_threads);
}

std::span<float> ModelShards::add_up(int n_threads) {
    const Index width = config_.width(), n = rows_.size();
    partial_.resize(n * width);
    parallel_for(n_threads, 0, n, row_block, [&](Index begin, Index end) {
        float* memory = scratch(depth_of(n_owned()) * width);
        for (Index b = begin; b < end; ++b) {
            float* z = partial_.data() + b * width;
            const auto write = [&](Index i, float* out) { return shards_[i]->add_up(b, out); };
            if (!tree_sum(0, n_owned(), width, z, memory, write)) std::fill_n(z, width, 0.0f);
        }
    });
    return partial_;
}

namespace {

// out = the sum of row b of the parts of all ranks.
void sum_row(std::span<const float* const> parts, Index b, Index width, float* out) {
    float* memory = scratch(depth_of(std::ssize(parts)) * width);
    tree_sum(0, std::ssize(parts), width, out, memory, [&](Index r, float* part) {
        std::copy_n(parts[r] + b * width, width, part);
        return true;
    });
}

}  // namespace

std::span<float> ModelShards::activate(std::span<const float* const> parts, int n_threads) {
    const FlushDenormals flush;
    const Index width = config_.width();
    const Range range = activated();
    own_.resize(range.size() * width);
    scales_.resize(range.size());
    parallel_for(n_threads, 0, range.size(), row_block, [&](Index begin, Index end) {
        for (Index b = begin; b < end; ++b) {
            float* h = own_.data() + b * width;
            sum_row(parts, b, width, h);
            kernels().axpy(width, 1.0f, bias_.data(), h);
            scales_[b] = function_.forward(width, rows_.has_features[range.first + b], h);
        }
    });
    return own_;
}

void ModelShards::score(std::span<const std::span<const float>> parts, int n_threads) {
    const FlushDenormals flush;
    gather(parts);
    partition_loss_ = 0;
    products_->start(h_, rows_.size(), config_.width(), 0);
    each_shard(n_threads, [&](ModelShard& shard, Index, int threads) {
        shard.compute_logits(*products_, rows_.size(), threads);
        if (config_.loss == LossKind::bce)
            shard.binary_gradients(rows_, threads);
        else
            shard.softmax_sums(rows_, threads);
    });
    if (config_.loss == LossKind::bce) return;
    sums_.resize(rows_.size() * SoftmaxSum::n_floats);
    for (Index b = 0; b < rows_.size(); ++b) {
        const SoftmaxSum sum = tree_sum(0, n_owned(), [&](Index i) { return shards_[i]->softmax_sum(b); });
        std::memcpy(sums_.data() + b * SoftmaxSum::n_floats, &sum, sizeof sum);
    }
}

void ModelShards::normalise(std::span<const float* const> sums, int n_threads) {
    const FlushDenormals flush;
    std::vector<SoftmaxSum> all(rows_.size());
    for (Index b = 0; b < rows_.size(); ++b) {
        all[b] = tree_sum(0, std::ssize(sums), [&](Index r) {
            SoftmaxSum sum;
            std::memcpy(&sum, sums[r] + b * SoftmaxSum::n_floats, sizeof sum);
            return sum;
        });
        if (rows_.n_labels[b] == 0) continue;
        const double share = 1.0 / rows_.n_labels[b];
        partition_loss_ += rows_.weight[b] * share * all[b].weight * (all[b].top + std::log(all[b].total));
    }
    each_shard(n_threads, [&](ModelShard& shard, Index, int threads) {
        shard.softmax_gradients(rows_, all.data(), threads);
    });
}

std::span<float> ModelShards::backward(int n_threads) {
    const FlushDenormals flush;
    const Index width = config_.width();
    partial_.resize(rows_.size() * width);
    parallel_for(n_threads, 0, rows_.size(), ActiveProducts::example_block, [&](Index begin, Index end) {
        const Index size = (end - begin) * width;
        float* memory = scratch<2>(depth_of(n_owned()) * size);
        float* dh = partial_.data() + begin * width;
        const auto write = [&](Index i, float* out) { return shards_[i]->backward(begin, end, out); };
        if (!tree_sum(0, n_owned(), size, dh, memory, write)) std::fill_n(dh, size, 0.0f);
    });
    return partial_;
}

// Gradients are sums over the batch; the adaptive optimisers do not see the factor, plain SGD takes the mean.
float ModelShards::step_rate(float rate) const {
    return config_.optimizer.kind == OptimizerKind::sgd ? rate / static_cast<float>(rows_.size()) : rate;
}

void ModelShards::update_output(float rate, int n_threads) {
    const FlushDenormals flush;
    each_shard(n_threads, [&](ModelShard& shard, Index, int threads) {
        shard.update_output(rows_.size(), step_rate(rate), step_ + 1, threads);
    });
}

std::span<float> ModelShards::backward_hidden(std::span<const float* const> parts, int n_threads) {
    const FlushDenormals flush;
    const Index width = config_.width(), n = activated().size();
    own_gradients_.resize(n * width);
    parallel_for(n_threads, 0, n, row_block, [&](Index begin, Index end) {
        for (Index b = begin; b < end; ++b) {
            float* gradient = own_gradients_.data() + b * width;
            sum_row(parts, b, width, gradient);
            function_.backward(width, scales_[b], own_.data() + b * width, gradient);
        }
    });
    return own_gradients_;
}

std::vector<double> ModelShards::report() const {
    std::vector<double> numbers;
    for (const auto& shard : shards_) {
        numbers.push_back(shard->loss());
        numbers.push_back(static_cast<double>(shard->n_active()));
    }
    return numbers;
}

void ModelShards::update_input(std::span<const std::span<const float>> parts, float rate, int n_threads) {
    const FlushDenormals flush;
    const Index width = config_.width();
    const float* gradients = joined(parts, gathered_);
    ++step_;
    std::vector<float> bias_gradient(width, 0.0f);
    for (Index b = 0; b < rows_.size(); ++b) kernels().axpy(width, 1.0f, gradients + b * width, bias_gradient.data());
    bias_optimizer_.update(0, step_rate(rate), step_, bias_gradient.data(), bias_.data());
    each_shard(n_threads, [&](ModelShard& shard, Index, int threads) {
        shard.features().group_by_feature();
        shard.update_input(gradients, step_rate(rate), step_, threads);
    });
}

StepStats ModelShards::stats(std::span<const std::span<const double>> reports) const {
    StepStats sum{partition_loss_, 0};
    for (const std::span<const double> report : reports) {
        for (std::size_t i = 0; i < report.size(); i += 2) {
            sum.loss += report[i];
            sum.active += static_cast<Index>(report[i + 1]);
        }
    }
    return sum;
}

std::span<float> ModelShards::add_up(const CsrInput& x, std::span<const Index> examples_of, int n_threads) {
    const FlushDenormals flush;
    examples_of_.assign(examples_of.begin(), examples_of.end());
    for (const auto& shard : shards_) shard->start_batch();
    rows_.clear();
    for (Index row = 0; row < x.n_rows(); ++row) {
        bool is_any = false;
        x.each(row, [&](Id id, Index entry) {
            const float value = x.value(entry) * config_.input_scale;
            is_any = is_any || value != 0;
            const Index shard = places_.shard(places_.features[id]) - first();
            if (value != 0 && shard >= 0 && shard < n_owned())
                shards_[shard]->features().add(places_.local(places_.features[id]), value);
        });
        for (const auto& shard : shards_) shard->end_example();
        rows_.has_features.push_back(is_any);
    }
    return add_up(n_threads);
}

void ModelShards::best_labels(Index k, std::int64_t* labels, float* scores, int n_threads) const {
    const FlushDenormals flush;
    const Index n = rows_.size();
    std::vector<BestK> best(n, BestK(k));
    std::vector<std::vector<Hit>> of_shard(n);
    for (const auto& shard : shards_) {
        best_neurons(shard->output, h_, n, k, of_shard.data(), n_threads);
        for (Index row = 0; row < n; ++row)
            for (const Hit& hit : of_shard[row]) best[row].offer({hit.score, shard->label_ids[hit.label]});
    }
    for (Index row = 0; row < n; ++row)
        write_hits(std::move(best[row]).sorted(), k, labels + row * k, scores + row * k);
}

void ModelShards::visit_shared(StateVisitor& visitor) {
    visitor.visit({"input.bias", Role::weight, {bias_.size()}}, &bias_);
    visit_optimizer(visitor, "input.bias", bias_optimizer_);
    std::vector<Index> step{step_};
    visitor.visit({"step", Role::count, {1}, Values::counts, most_counted}, &step);
    if (visitor.replaces()) step_ = step[0];
}

}  // namespace hashslide
