#include "network/network.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/parallel.h"
#include "inference/topk.h"
#include "network/model_state.h"
#include "simd/kernels.h"

namespace hashslide {
namespace {

// To score so few rows costs less than to make the screen.
constexpr Index scored_rows = 4;
constexpr Index predicted_rows = 1024;  // whose features and activations are held at once

// Worker 0 draws from the network's own seed, so that one worker is the serial algorithm.
std::uint64_t worker_seed(std::uint64_t seed, Index worker) {
    return worker == 0 ? seed : mix(seed ^ (static_cast<std::uint64_t>(worker) << 32));
}

}  // namespace

Network::Network(const NetworkConfig& config, bool initialise)
    : config_(config),
      model_{HiddenStack(config.n_features, config.hidden, config.input_init, config.optimizer, config.precision,
                         config.seed),
             OutputLayer(config.n_labels, config.width(), config.optimizer, config.precision, config.seed),
             Ranker(config.n_features, config.n_labels)},
      prior_(config.n_labels),
      selector_(config.selector, config.n_labels, config.width(), config.seed) {
    if (!initialise) return;
    model_.hidden.initialise();
    model_.output.weight.occupy();
    build_tables();
}

StepStats Network::train_batch(const CsrInput& x, const CsrInput& y, std::span<const Index> rows,
                               const float* sample_weight, float rate, int n_threads) {
    const FlushDenormals flush;
    const Index batch = static_cast<Index>(rows.size());
    if (batch == 0) return {0.0, 0};
    if (x.n_rows() != y.n_rows())
        throw BadInput("x and y have different numbers of rows. Give each example one of both.");
    own_arrays();
    drop_screen();
    const Index wanted = config_.update == UpdateMode::hogwild ? std::min<Index>(n_threads, batch) : 1;
    while (static_cast<Index>(workers_.size()) < wanted)
        workers_.push_back(std::make_unique<Worker>(config_, model_.hidden));
    const Index part = (batch + wanted - 1) / wanted;
    used_workers_ = (batch + part - 1) / part;
    const int threads_each = wanted == 1 ? n_threads : 1;
    std::vector<StepStats> stats(wanted, StepStats{0.0, 0});
    const auto train = [&](Index first, Index last) {
        // Gradients are sums over the batch; the adaptive optimisers do not see the factor, plain SGD takes the mean.
        const bool is_sgd = config_.optimizer.kind == OptimizerKind::sgd;
        const float mean_rate = is_sgd ? rate / static_cast<float>(last - first) : rate;
        const Index worker = first / part;
        const Step step{.config = config_,
                        .model = model_,
                        .selector = selector_,
                        .prior = prior_,
                        .label_weight = label_weight_,
                        .x = x,
                        .y = y,
                        .rows = rows.subspan(first, last - first),
                        .sample_weight = sample_weight,
                        .rate = mean_rate,
                        .number = step_ + 1,
                        .seed = worker_seed(config_.seed, worker)};
        stats[worker] = workers_[worker]->train(step, threads_each);
    };
    try {
        parallel_for(static_cast<int>(wanted), 0, batch, part, train);
    } catch (...) {
        dismiss_workers();  // their memory is half written; of the weights every row is whole
        throw;
    }
    ++step_;
    const double start = now();
    rehash(n_threads);
    rehash_seconds_ += now() - start;
    StepStats sum{0.0, 0};
    for (const StepStats& s : stats) sum = {sum.loss + s.loss, std::max(sum.active, s.active)};
    return sum;
}

void Network::rehash(int n_threads) {
    std::vector<HiddenStack::Work*> works;
    for (const auto& worker : used_workers()) works.push_back(&worker->hidden());
    model_.hidden.rehash(works, step_, n_threads);
    NeuronIndex* index = selector_.index();
    if (!index) return;
    for (const auto& worker : used_workers()) {
        index->observe(worker->hidden().last().view());
        index->touch(worker->touched_labels());
    }
    index->maintain(model_.output.view(), step_, n_threads);
}

StageSeconds Network::stage_seconds() const {
    StageSeconds sum = past_seconds_;
    for (const auto& worker : workers_)
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += worker->seconds()[i];
    sum[static_cast<int>(Stage::rehash)] = rehash_seconds_;
    return sum;
}

double Network::multiplications() const {
    double sum = past_multiplications_;
    for (const auto& worker : workers_) sum += worker->multiplications();
    sum += model_.hidden.hashing_multiplications();
    return selector_.index() ? sum + selector_.index()->multiplications() : sum;
}

void Network::rebuild_tables(int n_threads) {
    const FlushDenormals flush;
    model_.hidden.rebuild_tables(n_threads);
    if (NeuronIndex* index = selector_.index()) index->build(model_.output.view(), n_threads);
}

std::vector<Id> Network::active_labels() const {
    std::vector<Id> labels;
    for (const auto& worker : used_workers())
        labels.insert(labels.end(), worker->touched_labels().begin(), worker->touched_labels().end());
    return labels;
}

template <class F>
void Network::for_blocks(const CsrInput& x, Index block, F&& f) const {
    CsrRows rows;
    for (Index first = 0; first < x.n_rows(); first += block) {
        rows.assign(x, first, std::min(block, x.n_rows() - first), config_.input_scale);
        f(rows.view(), first);
    }
}

void Network::hidden(const CsrInput& x, std::size_t n_layers, float* out, int n_threads) const {
    const FlushDenormals flush;
    const Index width = model_.hidden.width_after(n_layers);
    for_blocks(x, predicted_rows, [&](const CsrView& rows, Index first) {
        model_.hidden.predict(rows, 0, rows.n_rows, n_layers, out + first * width, n_threads);
    });
}

void Network::predict_topk(const CsrInput& x, const CsrInput* excluded, Index k, std::int64_t* labels, float* scores,
                           int n_threads) const {
    const FlushDenormals flush;
    constexpr Index held_hits = Index{1} << 22, least_rows = 48;
    const Index block = std::clamp(held_hits / model_.ranker.needed(k), least_rows, predicted_rows);
    const auto screen = screen_for(x.n_rows(), n_threads);
    CsrRows left_out;
    for_blocks(x, block, [&](const CsrView& rows, Index first) {
        left_out.assign_pattern(excluded, first, rows.n_rows);
        exact_topk(model_, screen.get(), rows, left_out.view(), k, labels + first * k, scores + first * k, n_threads);
    });
}

void Network::approximate_topk(const CsrInput& x, const CsrInput* excluded, Index k, const CandidateSettings& read,
                               std::int64_t* labels, float* scores, int n_threads) const {
    const FlushDenormals flush;
    std::vector<char> is_short(x.n_rows());
    parallel_for(n_threads, 0, x.n_rows(), 4, [&](Index first, Index last) {
        thread_local CsrRows copy, left_out;
        copy.assign(x, first, last - first, config_.input_scale);
        left_out.assign_pattern(excluded, first, last - first);
        for (Index row = first; row < last; ++row) {
            const std::span<const Hit> hits =
                candidates_.topk(model_, copy.view(), row - first, left_out.view().ids(row - first), k, read);
            is_short[row] = std::ssize(hits) < k;
            if (!is_short[row]) write_hits(hits, k, labels + row * k, scores + row * k);
        }
    });
    for (Index row = 0; row < x.n_rows(); ++row) {
        if (!is_short[row]) continue;
        const std::optional<CsrInput> its_own = excluded ? std::optional(excluded->row(row)) : std::nullopt;
        predict_topk(x.row(row), its_own ? &*its_own : nullptr, k, labels + row * k, scores + row * k, n_threads);
    }
}

Candidates Network::learn_candidates(const CsrInput& x, const CsrInput& y, int n_threads) const {
    const FlushDenormals flush;
    return Candidates::learn(model_, x, config_.input_scale, y, config_.n_features, config_.seed, n_threads);
}

CandidatesExtension Network::extend_candidates(const CsrInput& x, const CsrInput& y, int n_threads) const {
    const FlushDenormals flush;
    return candidates_.extension(model_, x, config_.input_scale, y, config_.n_features, n_threads);
}

void Network::drop_screen() {
    const std::lock_guard lock(screen_mutex_);
    screen_.reset();
    is_screen_wanted_ = false;
}

std::shared_ptr<const Screen> Network::screen_for(Index n_rows, int n_threads) const {
    {
        const std::lock_guard lock(screen_mutex_);
        if (screen_) return screen_;
        const bool is_first = !std::exchange(is_screen_wanted_, true);
        if (is_screen_in_work_ || (is_first && n_rows <= scored_rows)) return nullptr;
        is_screen_in_work_ = true;
    }
    std::shared_ptr<const Screen> made;
    try {
        made = std::make_shared<const Screen>(model_, n_threads);
    } catch (...) {
        const std::lock_guard lock(screen_mutex_);
        is_screen_in_work_ = false;
        throw;
    }
    const std::lock_guard lock(screen_mutex_);
    is_screen_in_work_ = false;
    screen_ = made;
    return made;
}

void Network::logits(const CsrInput& x, float* out, int n_threads) const {
    const FlushDenormals flush;
    for_blocks(x, predicted_rows, [&](const CsrView& rows, Index first) {
        all_logits(model_, rows, out + first * config_.n_labels, n_threads);
    });
}

namespace {

// Copies the ids of a row, which somebody may write to meanwhile; returns the entry of the first one.
Index copy_row(const CsrInput& y, Index row, std::vector<Id>& ids) {
    ids.clear();
    Index first = 0;
    y.each(row, [&](Id id, Index entry) {
        if (ids.empty()) first = entry;
        ids.push_back(id);
    });
    return first;
}

}  // namespace

void Network::pair_logits(const CsrInput& x, const CsrInput& y, bool with_ranker, float* out, int n_threads) const {
    const FlushDenormals flush;
    std::vector<Id> labels;
    std::vector<float> added;
    for_blocks(x, predicted_rows, [&](const CsrView& rows, Index first) {
        std::vector<float> h(static_cast<std::size_t>(rows.n_rows * model_.width()));
        model_.hidden.predict(rows, 0, rows.n_rows, h.data(), n_threads);
        for (Index row = 0; row < rows.n_rows; ++row) {
            float* z = out + copy_row(y, first + row, labels);
            for (std::size_t i = 0; i < labels.size(); ++i)
                z[i] = model_.output.logit(labels[i], h.data() + row * model_.width());
            if (!with_ranker || !model_.ranker.enabled()) continue;
            added.resize(labels.size());
            model_.ranker.addends(rows.ids(row), rows.values(row), labels, added.data());
            for (std::size_t i = 0; i < labels.size(); ++i) z[i] = z[i] + model_.ranker.offset_of(labels[i]) + added[i];
        }
    });
}

void Network::update_label_prior(std::span<const Id> labels, const Index* counts, Index n_examples) {
    prior_.update(labels, counts, n_examples, config_.active.popular);
}

void Network::set_label_prior(const Index* counts, Index n_examples, bool reset_bias) {
    if (reset_bias) own_arrays();
    const Whole whole;
    prior_.set(counts, n_examples, config_.active.popular);
    if (!reset_bias) return;
    drop_screen();
    for (Index label = 0; label < config_.n_labels; ++label) {
        const double frequency = prior_.frequency(static_cast<Id>(label));
        model_.output.bias[label] = static_cast<float>(first_bias(config_.loss, frequency));
    }
}

void Network::set_label_weight(const float* weight) { label_weight_.assign(weight, weight + config_.n_labels); }

std::vector<Id> Network::best_labels(const CsrInput& x, Index k, int n_threads) const {
    std::vector<Id> best(x.n_rows() * k);
    std::vector<std::int64_t> labels(predicted_rows * k);
    std::vector<float> scores(predicted_rows * k);
    for (Index first = 0; first < x.n_rows(); first += predicted_rows) {
        const Index n = std::min(predicted_rows, x.n_rows() - first);
        const CsrInput rows = x.rows(first, n);
        if (candidates_.empty())
            predict_topk(rows, nullptr, k, labels.data(), scores.data(), n_threads);
        else
            approximate_topk(rows, nullptr, k, candidates_.settings, labels.data(), scores.data(), n_threads);
        std::copy_n(labels.begin(), n * k, best.begin() + first * k);
    }
    return best;
}

Ranker Network::learn_ranker(const CsrInput& x, const CsrInput& y, const float* sample_weight, int n_threads) const {
    const FlushDenormals flush;
    RankerSettings settings;
    settings.longest = std::max(settings.longest, config_.width());
    const Index k = std::min(settings.candidates_of(y.n_rows()), config_.n_labels);
    return hashslide::learn_ranker(x, y, config_.n_features, config_.n_labels, best_labels(x, k, n_threads),
                                   sample_weight, label_weight_, settings, config_.seed, n_threads);
}

void Network::check_ranker(const Ranker& ranker) const {
    if (ranker.n_features != config_.n_features || ranker.n_labels() != config_.n_labels)
        throw BadInput("The ranker was made for other features or labels than this network has. Make it anew.");
}

void Network::ranker_parts(const Ranker& ranker, const CsrInput& x, const CsrInput& y, float* margins,
                           float* associations) const {
    std::vector<Id> labels;
    for_blocks(x, predicted_rows, [&](const CsrView& rows, Index first) {
        for (Index row = 0; row < rows.n_rows; ++row) {
            const Index entry = copy_row(y, first + row, labels);
            ranker.parts(rows.ids(row), rows.values(row), labels, margins + entry, associations + entry);
        }
    });
}

void Network::set_ranker(Ranker ranker, const Blend& blend) {
    const Whole whole;
    drop_screen();
    ranker.weigh(blend, [&](Id label) { return std::log(prior_.frequency(label)); });
    model_.ranker = std::move(ranker);
}

void Network::drop_ranker() {
    drop_screen();
    model_.ranker = Ranker(config_.n_features, config_.n_labels);
}

void Network::update_ranker(const CsrInput& x, const CsrInput& y, int n_threads) {
    if (!model_.ranker.enabled()) return;
    const FlushDenormals flush;
    const RankerSettings settings;
    const Index k = std::min(settings.candidates, config_.n_labels);
    const std::vector<Id> best = best_labels(x, k, n_threads);
    own_arrays();
    drop_screen();
    const CounterRng rounding(config_.seed, Stream::ranker_rounding, static_cast<std::uint64_t>(step_));
    hashslide::update_ranker(model_.ranker, x, y, best, settings, rounding);
}

void Network::describe_labels(const CsrInput& x, float gain) {
    if (!model_.ranker.enabled()) return;
    const LabelWeights& weights = model_.ranker.weights;
    const Index first = config_.n_labels - x.n_rows();
    if (first < 0 || weights.begin[first] != weights.features.size())
        throw BadInput("the ranker knows some of the labels that are described.");
    CsrRows rows;
    rows.assign(x, 0, x.n_rows(), 1.0f);
    const Whole whole;
    drop_screen();
    model_.ranker.describe(static_cast<Id>(first), rows.view(), gain);
}

void Network::grow(Index n_features, Index n_labels) {
    const Whole whole;
    drop_screen();
    n_features = std::max(n_features, config_.n_features);
    n_labels = std::max(n_labels, config_.n_labels);
    if (n_features > config_.n_features) model_.hidden.grow(n_features);
    if (n_labels > config_.n_labels) {
        model_.output.grow(n_labels);
        prior_.grow(n_labels);
        if (selector_.index()) selector_.index()->grow(n_labels);
        if (!label_weight_.empty()) label_weight_.resize(n_labels, 1.0f);
    }
    model_.ranker.grow(n_features, n_labels, [&](Id label) { return std::log(prior_.frequency(label)); });
    config_.n_features = n_features;
    config_.n_labels = n_labels;
    dismiss_workers();
}

void Network::set_label_rows(std::span<const Id> labels, const float* weight, const float* bias) {
    own_arrays();
    drop_screen();
    for (std::size_t i = 0; i < labels.size(); ++i)
        model_.output.set(labels[i], weight + static_cast<Index>(i) * model_.output.width(), bias[i]);
    if (selector_.index()) selector_.index()->touch(labels);
}

// Their memory has the size of the layers; what they counted stays.
void Network::dismiss_workers() {
    for (const auto& worker : workers_) {
        for (std::size_t i = 0; i < past_seconds_.size(); ++i) past_seconds_[i] += worker->seconds()[i];
        past_multiplications_ += worker->multiplications();
    }
    workers_.clear();
    used_workers_ = 0;
}

std::vector<std::pair<std::string, NeuronIndex*>> Network::indexes() {
    auto all = model_.hidden.indexes();
    if (selector_.index()) all.emplace_back("output", selector_.index());
    return all;
}

namespace {

class Owner : public StateVisitor {
public:
    explicit Owner(bool all) : all_(all) {}
    void visit(const ArrayInfo& info, ArrayRef array) override {
        if (!all_ && info.role != Role::weight && info.role != Role::optimizer) return;
        if (auto* const* numbers = std::get_if<Array<float>*>(&array)) (*numbers)->own();
        if (auto* const* halves = std::get_if<Array<Bf16>*>(&array)) (*halves)->own();
        if (!all_) return;
        if (auto* const* ids = std::get_if<Array<Id>*>(&array)) (*ids)->own();
        if (auto* const* offsets = std::get_if<Array<Index>*>(&array)) (*offsets)->own();
    }

private:
    bool all_;  // otherwise what training writes
};

}  // namespace

void Network::own_arrays() {
    if (!is_borrowing_) return;
    Owner owner(false);
    visit_state(owner);
    is_borrowing_ = false;
}

void Network::own_state() {
    Owner owner(true);
    visit_state(owner);
    is_borrowing_ = false;
    lenders_.clear();
}

}  // namespace hashslide
