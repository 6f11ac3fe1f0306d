#include "estimate/cell_sum.h"

#include <array>
#include <vector>

#include "base/parallel.h"
#include "base/prefetch.h"
#include "base/rng.h"

namespace hashslide {
namespace {

constexpr Index grain = 16;             // queries that share their working memory
constexpr Index first_pilot = 512;      // draws, so many times more in each further pilot,
constexpr Index pilot_growth = 4;       // until it is no smaller than
constexpr Index pilot_share = 8;        // the estimate's own draws divided by this
constexpr double safety = 1.2;          // more draws than the pilot's variance, an estimate itself, asks for
constexpr Index counted_anyway = 2048;  // so few points are never drawn
constexpr Index ahead = 8;              // rows that are fetched before they are read

// Shares of the draws that go to cells in proportion to their weight, to weight * sqrt(term), and to weight * term.
// Without the first, a near point in a far cell would have next to no chance (Hesterberg 1995: defensive mixtures).
using Mixture = std::array<double, 3>;
constexpr std::array<Mixture, 3> mixtures{{{1.0, 0.0, 0.0}, {0.1, 0.9, 0.0}, {0.1, 0.2, 0.7}}};
constexpr std::size_t uniform = 0, of_pilot = 1;
constexpr double nothing = -std::numeric_limits<double>::infinity();

std::uint64_t digest(const float* query, Index width) {
    std::uint64_t key = 0;
    for (Index j = 0; j < width; ++j) key = mix(key ^ __builtin_bit_cast(std::uint32_t, query[j]));
    return key;
}

// One query after the other; the vectors are kept between them.
class Estimator {
public:
    Estimator(const PointCells& points, const SumConfig& config) : points_(points), config_(config) {}

    SumEstimate operator()(const float* query) {
        query_ = query;
        key_ = digest(query, points_.width);
        used_ = drawn_ = 0;
        counted_ = LogSum{};
        is_counted_.assign(points_.cells, false);
        if (config_.method == SumMethod::exact || points_.n <= counted_anyway) return count_all();
        if (config_.method == SumMethod::uniform) {
            nearness_.assign(points_.cells, 1.0);
        } else {
            look_at_centres();
        }
        if (weight_left() == 0) return {counted_.log(), 0.0, used_};
        const Plan plan = make_plan();
        if (plan.all) return count_all();
        for (const Id c : plan.cells) count(c);
        if (weight_left() == 0) return {counted_.log(), 0.0, used_};
        chances_ = chances_of(plan.mixture);
        draw(plan.draws);
        const Moments rest = moments_of_draws();
        LogSum sum = counted_;
        sum.add(rest.log_mean);
        return {sum.log(), rest.log_error > nothing ? std::exp(rest.log_error - sum.log()) : 0.0, used_};
    }

private:
    struct Plan {
        bool all = false;       // counting all points is cheaper than what follows
        std::vector<Id> cells;  // to be counted
        std::size_t mixture = uniform;
        Index draws = 0;
    };
    // Of the mean over the draws, an estimate of the sum over the points that are not counted.
    struct Moments {
        double log_mean, log_error;
    };
    Index left() const { return std::max<Index>(0, config_.budget - used_); }

    void count(Index c) {
        seen_ = seen_squares_ = 0;
        for (Index i = points_.begin[c]; i < points_.begin[c + 1]; ++i) {
            const double weight = points_.weight(i, i + 1);
            const double log_value = log_term(config_.term, points_.width, query_, points_.row(i));
            seen_ += log_value;
            seen_squares_ += log_value * log_value;
            if (weight > 0) counted_.add(log_value + std::log(weight));
        }
        used_ += points_.size(c);
        is_counted_[c] = true;
    }

    SumEstimate count_all() {
        counted_ = LogSum{};
        for (Index c = 0; c < points_.cells; ++c) count(c);
        return {counted_.log(), 0.0, used_};
    }

    // The cell that promises most is counted; nearness_ and means_ are relative to the largest of the others.
    void look_at_centres() {
        for (Index c = 0; c < points_.outliers; ++c) count(c);
        at_centres_.resize(points_.cells);
        for (Index c = points_.outliers; c < points_.cells; ++c)
            at_centres_[c] = log_term(config_.term, points_.width, query_, points_.centres + c * points_.width);
        used_ += points_.cells - points_.outliers;
        judge_cells(1.0);
        Index best = points_.outliers;
        double most = nothing;
        for (Index c = points_.outliers; c < points_.cells; ++c) {
            const double promise = nearness_[c] + 2 * std::log(points_.weight_of(c));
            if (promise > most) best = c, most = promise;
        }
        if (points_.size(best) <= left() / 8) {
            count(best);
            // A query sees more of the spread in some directions than in others, and much the same in all cells.
            if (config_.term == Term::product) judge_cells(std::clamp(seen_variance(best), 1.0, 10.0));
        }
        double largest = nothing;
        for (Index c = 0; c < points_.cells; ++c)
            if (!is_counted_[c]) largest = std::max(largest, nearness_[c]);
        for (Index c = 0; c < points_.cells; ++c) {
            const bool is_outlier = c < points_.outliers;
            nearness_[c] = is_outlier ? 0.0 : std::exp(0.25 * (nearness_[c] - largest));
            means_[c] = is_outlier ? 0.0 : std::exp(means_[c] - 0.5 * largest);
        }
    }

    // What the cells promise, with the variance of their points times a factor.
    void judge_cells(double factor) {
        const double square = kernels().sum_of_squares(points_.width, query_);
        nearness_.resize(points_.cells);
        means_.resize(points_.cells);
        for (Index c = points_.outliers; c < points_.cells; ++c) {
            const CellPromise promise =
                cell_promise(config_.term, points_.dimension, factor * points_.spreads[c] / points_.dimension,
                             at_centres_[c], square);
            nearness_[c] = promise.log_square;
            means_[c] = promise.log_mean;
        }
    }

    // The variance of the products of the cell counted last, as a multiple of what its spread promises.
    double seen_variance(Index c) const {
        const double size = static_cast<double>(points_.size(c)), mean = seen_ / size;
        const double square = kernels().sum_of_squares(points_.width, query_);
        const double promised = square * points_.spreads[c] / points_.dimension;
        return promised > 0 && size > 1 ? (seen_squares_ / size - mean * mean) / promised : 1.0;
    }

    double weight_left() const {
        double sum = 0;
        for (Index c = 0; c < points_.cells; ++c)
            if (!is_counted_[c]) sum += points_.weight_of(c);
        return sum;
    }

    // Of each cell that is not counted, to be drawn from.
    std::vector<double> chances_of(std::size_t mixture) const {
        std::vector<double> chances(points_.cells);
        const auto part = [&](Index c, std::size_t power) {
            if (is_counted_[c]) return 0.0;
            return points_.weight_of(c) * (power == 0 ? 1.0 : power == 1 ? nearness_[c] : nearness_[c] * nearness_[c]);
        };
        for (std::size_t power = 0; power < 3; ++power) {
            if (mixtures[mixture][power] == 0) continue;
            double sum = 0;
            for (Index c = 0; c < points_.cells; ++c) sum += part(c, power);
            const std::size_t used = sum > 0 ? power : 0;  // every term vanishes beside the largest
            if (used != power) {
                for (Index c = 0; c < points_.cells; ++c) sum += part(c, 0);
            }
            for (Index c = 0; c < points_.cells; ++c) chances[c] += mixtures[mixture][power] * part(c, used) / sum;
        }
        return chances;
    }

    // Stratified draws: the i-th of m falls between the shares i / m and (i + 1) / m of all chances.
    void draw(Index m) {
        const CounterRng rng(config_.seed, Stream::estimate, key_);
        rows_.resize(m);
        cells_.resize(m);
        logs_.resize(m);
        Index c = -1, last = -1;
        double low = 0, high = 0;
        for (Index i = 0; i < m; ++i) {
            const double within = static_cast<double>(rng.bits(drawn_ + i) >> 11) * 0x1p-53;
            const double u = (static_cast<double>(i) + within) / static_cast<double>(m);
            while ((u >= high || c < 0) && c + 1 < points_.cells) {
                ++c;
                if (chances_[c] == 0) continue;
                last = c;
                low = high;
                high += chances_[c];
            }
            cells_[i] = static_cast<Id>(last);
            rows_[i] = place(last, (u - low) / (high - low));
        }
        drawn_ += m;
        used_ += m;
        for (Index i = 0; i < m; ++i) {
            if (i + ahead < m) fetch(points_.row(rows_[i + ahead]));
            const Index cell = cells_[i];
            logs_[i] = log_term(config_.term, points_.width, query_, points_.row(rows_[i])) +
                       std::log(points_.weight_of(cell) / chances_[cell]);
        }
    }

    void fetch(const float* row) const {
        for (Index j = 0; j < points_.width; j += 16) hashslide::prefetch(row + j);
    }

    // The point of cell c below which the share u of its weight lies.
    Index place(Index c, double u) const {
        const Index first = points_.begin[c], last = points_.begin[c + 1];
        if (!points_.weights)
            return std::min(last - 1, first + static_cast<Index>(u * static_cast<double>(last - first)));
        const double* sums = points_.weights;
        const double wanted = sums[first] + u * (sums[last] - sums[first]);
        const Index above = std::upper_bound(sums + first, sums + last, wanted) - sums;
        return std::clamp(above - 1, first, last - 1);
    }

    double largest_log() const { return *std::max_element(logs_.begin(), logs_.end()); }

    // Neighbouring strata in pairs: half their squared difference is a variance too large rather than too small.
    Moments moments_of_draws() const {
        const double largest = largest_log(), m = static_cast<double>(logs_.size());
        if (largest == nothing) return {nothing, nothing};
        double sum = 0, squares = 0;
        for (std::size_t i = 0; i + 1 < logs_.size(); i += 2) {
            const double a = std::exp(logs_[i] - largest), b = std::exp(logs_[i + 1] - largest);
            sum += a + b;
            squares += (a - b) * (a - b);
        }
        return {largest + std::log(sum / m), largest + 0.5 * std::log(squares) - std::log(m)};
    }

    // How many draws by `chances`, from cells that are not left out, would reach the error that is wanted, judged by
    // the pilot's draws, which were made by chances_.
    double needed(const std::vector<double>& chances, const std::vector<bool>& left_out) const {
        const double largest = largest_log(), m = static_cast<double>(logs_.size());
        if (largest == nothing) return 0;
        double share = 0;
        for (Index c = 0; c < points_.cells; ++c)
            if (!left_out[c]) share += chances[c];
        double all = 0, rest = 0, squares = 0, own_squares = 0, steps = 0, before = 0;
        for (std::size_t i = 0; i < logs_.size(); ++i) {
            const double x = std::exp(logs_[i] - largest);
            all += x;
            const double y = left_out[cells_[i]] ? 0.0 : x;
            rest += y;
            own_squares += y * y;
            if (y > 0) squares += y * y * chances_[cells_[i]] / chances[cells_[i]];
            if (i % 2) steps += (y - before) * (y - before);
            before = y;
        }
        const double mean = rest / m, own_variance = own_squares / m - mean * mean;
        const double variance = std::max(0.0, share * squares / m - mean * mean);
        const double by_strata = own_variance > 0 ? std::min(1.0, steps / m / own_variance) : 1.0;
        const double total = std::exp(counted_.log() - largest) + all / m;
        return std::max(safety * variance * by_strata / (config_.error * config_.error * total * total),
                        promised_need(chances, left_out, share));
    }

    // The same by what the cells promise: a pilot that has missed the few points that matter does not know of them.
    double promised_need(const std::vector<double>& chances, const std::vector<bool>& left_out, double share) const {
        if (config_.method == SumMethod::uniform) return 0;
        double all = 0, rest = 0, squares = 0;
        for (Index c = 0; c < points_.cells; ++c) {
            const double weight = points_.weight_of(c), mean = weight * means_[c];
            all += mean;
            if (left_out[c] || chances[c] == 0) continue;
            rest += mean;
            const double root = weight * nearness_[c] * nearness_[c];
            squares += root * root / chances[c];
        }
        return std::max(0.0, share * squares - rest * rest) / (config_.error * config_.error * all * all);
    }

    // Cells of which nearly every point would be drawn are counted, if that is cheaper in all. Returns the evaluations.
    double count_more(Plan& plan, double draws) const {
        const std::vector<double> chances = chances_of(plan.mixture);
        const double possible = std::min(draws, static_cast<double>(left()));
        std::vector<bool> left_out = is_counted_;
        std::vector<Id> cells;
        Index counted = 0;
        for (Index c = 0; c < points_.cells; ++c) {
            if (left_out[c] || possible * chances[c] < static_cast<double>(points_.size(c))) continue;
            if (counted + points_.size(c) > left() / 2) continue;
            counted += points_.size(c);
            left_out[c] = true;
            cells.push_back(static_cast<Id>(c));
        }
        const double fewer = needed(chances, left_out) + static_cast<double>(counted);
        if (fewer >= draws) return draws;
        plan.cells = std::move(cells);
        return fewer;
    }

    Plan make_plan() {
        const bool chooses = config_.method == SumMethod::automatic;
        const std::size_t own = config_.method == SumMethod::uniform ? uniform : of_pilot;
        chances_ = chances_of(own);
        for (Index pilot = first_pilot;; pilot *= pilot_growth) {
            const Index most = std::max<Index>(2, left() / pilot_share);
            draw(std::min(pilot, most) / 2 * 2);
            Plan plan;
            double draws = std::numeric_limits<double>::infinity();
            for (std::size_t j = 0; j < mixtures.size(); ++j) {
                if (j != own && !chooses) continue;
                const double need = needed(chances_of(j), is_counted_);
                if (need < draws) draws = need, plan.mixture = j;
            }
            const double cost = config_.method == SumMethod::uniform ? draws : count_more(plan, draws);
            if (points_.n <= left() && cost >= static_cast<double>(points_.n)) return Plan{.all = true, .cells = {}};
            if (static_cast<double>(pilot * pilot_share) >= cost || pilot >= most) {
                double counted = 0;
                for (const Id c : plan.cells) counted += static_cast<double>(points_.size(c));
                const double possible = static_cast<double>(left()) - counted;
                const double pairs = std::clamp((cost - counted) / 2, 32.0, std::max(32.0, possible / 2));
                plan.draws = 2 * static_cast<Index>(pairs);
                return plan;
            }
        }
    }

    const PointCells& points_;
    const SumConfig& config_;
    const float* query_ = nullptr;
    std::uint64_t key_ = 0;
    Index used_ = 0, drawn_ = 0;  // evaluations and random numbers of this query
    LogSum counted_;
    double seen_ = 0, seen_squares_ = 0;  // sums over the cell counted last
    std::vector<bool> is_counted_;
    std::vector<double> at_centres_, nearness_, means_, chances_;  // by cell
    std::vector<double> logs_;                                     // by draw
    std::vector<Index> rows_;                                      // by draw
    std::vector<Id> cells_;
};

}  // namespace

void estimate_sums(const PointCells& cells, const SumConfig& config, const float* queries, Index n, SumEstimate* out,
                   int n_threads) {
    parallel_for(n_threads, 0, n, grain, [&](Index first, Index last) {
        Estimator estimator(cells, config);
        for (Index q = first; q < last; ++q) out[q] = estimator(queries + q * cells.width);
    });
}

}  // namespace hashslide
