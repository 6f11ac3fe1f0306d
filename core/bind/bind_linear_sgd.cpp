// Stochastic gradient descent for linear models, on NumPy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>
#include <utility>

#include "linear/linear_sgd.h"
#include "python/arrays.h"
#include "python/names.h"
#include "python/released.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

const Names<LinearLoss> linear_losses{{"squared", LinearLoss::squared}, {"logistic", LinearLoss::logistic}};
const Names<ExampleSampling> samplings{{"lsh", ExampleSampling::lsh},
                                       {"gradient_norm", ExampleSampling::gradient_norm},
                                       {"uniform", ExampleSampling::uniform}};
const Names<RateSchedule> schedules{
    {"adagrad", RateSchedule::adagrad}, {"constant", RateSchedule::constant}, {"invscaling", RateSchedule::invscaling}};

LinearSgdConfig parse_config(const nb::dict& settings) {
    LinearSgdConfig config;
    const auto set = [&]<class T>(const char* name, T& value) {
        if (settings.contains(name)) value = nb::cast<T>(settings[name]);
    };
    set("hash", config.family.name);
    set("tables", config.family.tables);
    set("hashes", config.family.hashes);
    set("uniform_share", config.uniform_share);
    set("eta0", config.rate);
    set("power_t", config.power);
    set("alpha", config.alpha);
    set("batch_size", config.batch_size);
    set("seed", config.seed);
    config.sampling = parse(samplings, nb::cast<std::string>(settings["sampling"]));
    config.schedule = parse(schedules, nb::cast<std::string>(settings["learning_rate"]));
    return config;
}

// A training with the arrays that it borrows.
struct Training {
    VectorsIn x;
    In<float> y;
    std::optional<In<float>> importance;
    LinearSgd sgd;
};

Training* start(LinearModel& model, VectorsIn x, In<float> y, std::optional<In<float>> importance,
                const std::string& loss, bool intercept, const nb::dict& settings, int n_threads) {
    const LinearExamples examples{vectors_of(x, model.width()), y.data(), importance ? importance->data() : nullptr,
                                  parse(linear_losses, loss), intercept};
    const LinearSgdConfig config = parse_config(settings);
    return released([&] {
        return new Training{std::move(x), std::move(y), std::move(importance),
                            LinearSgd(config, examples, model, n_threads)};
    });
}

nb::tuple draw(Training& self, Index step, Index n) {
    std::vector<Id> ids(n);
    std::vector<float> weights(n);
    self.sgd.draw(step, ids, weights);
    return nb::make_tuple(to_array(ids), to_array(weights));
}

template <class Sampler>
const Sampler& sampler(const Training& self) {
    const auto* found = dynamic_cast<const Sampler*>(&self.sgd.sampler());
    if (!found) throw std::invalid_argument("another sampler");
    return *found;
}

}  // namespace

void bind_linear_sgd(nb::module_& m) {
    nb::class_<LinearModel>(m, "LinearModel", "Weights of a linear model, with what goes on in their training.")
        .def(nb::init<Index>(), "width"_a)
        .def_prop_rw(
            "weights", [](const LinearModel& self) { return to_array(self.weights); },
            [](LinearModel& self, const In<float>& v) { self.weights.assign(v.data(), v.data() + v.size()); },
            nb::rv_policy::move, "(width + 1,), the intercept last.")
        .def_prop_rw(
            "squares", [](const LinearModel& self) { return to_array(self.squares); },
            [](LinearModel& self, const In<float>& v) { self.squares.assign(v.data(), v.data() + v.size()); },
            nb::rv_policy::move)
        .def_rw("steps", &LinearModel::steps);
    nb::class_<Training>(m, "LinearSgd", "Stochastic gradient descent of a linear model on some examples.")
        .def(nb::new_(&start), "model"_a, "x"_a, "y"_a, "importance"_a.none(), "loss"_a, "intercept"_a, "settings"_a,
             "n_threads"_a, nb::keep_alive<1, 2>())
        .def(
            "run_epoch", [](Training& self) { return released([&] { return self.sgd.run_epoch(); }); },
            "One pass; the estimate of the mean loss.")
        .def("draw", &draw, "step"_a, "n"_a, "For tests: (ids, weights) of n draws as of this step.")
        .def(
            "follow",
            [](Training& self, const In<float>& weights) {
                self.sgd.follow(weights.data(), weights.data()[weights.size() - 1]);
            },
            "weights"_a, "For tests: look the buckets of other weights up.")
        .def_prop_ro(
            "chances", [](const Training& self) { return to_array(sampler<MixedSampler>(self).chances()); },
            nb::rv_policy::move, "For tests: q of all examples.")
        .def_prop_ro(
            "codes", [](const Training& self) { return to_array(sampler<BucketSampler>(self).codes()); },
            nb::rv_policy::move, "For tests: (N * tables,) code of each example.")
        .def_prop_ro(
            "query_codes", [](const Training& self) { return to_array(sampler<BucketSampler>(self).query_codes()); },
            nb::rv_policy::move, "For tests: (queries * tables,) codes, -1 where the bucket is empty.")
        .def_prop_ro("follow_every", [](const Training& self) { return self.sgd.follow_every(); });
}
