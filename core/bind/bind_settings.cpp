// The settings of a network. hashslide.settings documents and checks them and copies them here attribute
// by attribute.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <utility>

#include "network/network.h"
#include "python/names.h"
#include "python/python_family.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

const Names<Activation> activations{
    {"identity", Activation::identity}, {"relu", Activation::relu}, {"tanh", Activation::tanh}};
const Names<LossKind> losses{{"bce", LossKind::bce}, {"softmax", LossKind::softmax}};
const Names<OptimizerKind> optimizers{
    {"adagrad", OptimizerKind::adagrad}, {"adam", OptimizerKind::adam}, {"sgd", OptimizerKind::sgd}};

const Names<Precision> precisions{{"float32", Precision::float32}, {"bfloat16", Precision::bfloat16}};
const Names<UpdateMode> updates{{"owner", UpdateMode::owner}, {"hogwild", UpdateMode::hogwild}};

// Attributes of a settings class: a member, a member of a member, ..., or one with names for its values.
template <class Config>
auto& at(Config& config) {
    return config;
}
template <class Config, class Member, class... Members>
auto& at(Config& config, Member member, Members... members) {
    return at(config.*member, members...);
}

template <class Config, class... Members>
void plain(nb::class_<Config>& bound, const char* name, Members... members) {
    using Value = std::remove_cvref_t<decltype(at(std::declval<Config&>(), members...))>;
    bound.def_prop_rw(
        name, [members...](const Config& c) { return at(c, members...); },
        [members...](Config& c, Value v) { at(c, members...) = v; });
}

template <class Config, class E, class... Members>
void named(nb::class_<Config>& bound, const char* name, const Names<E>& names, Members... members) {
    bound.def_prop_rw(
        name, [&names, members...](const Config& c) { return name_of(names, at(c, members...)); },
        [&names, members...](Config& c, const std::string& v) { at(c, members...) = parse(names, v); });
}

void bind_selector(nb::module_& m) {
    nb::class_<SelectorConfig> bound(m, "SelectorConfig", "How a layer chooses its neurons; see hashslide.settings.");
    bound.def(nb::init<>());
    using S = SelectorConfig;
    using I = IndexConfig;
    named(bound, "sampler", sampler_names, &S::sampler, &SamplerConfig::kind);
    plain(bound, "budget", &S::sampler, &SamplerConfig::budget);
    plain(bound, "min_count", &S::sampler, &SamplerConfig::min_count);
    plain(bound, "alpha", &S::sampler, &SamplerConfig::alpha);
    plain(bound, "beta", &S::sampler, &SamplerConfig::beta);
    plain(bound, "family", &S::index, &I::family, &HashFamilyConfig::name);
    plain(bound, "tables", &S::index, &I::family, &HashFamilyConfig::tables);
    plain(bound, "hashes", &S::index, &I::family, &HashFamilyConfig::hashes);
    plain(bound, "bin_size", &S::index, &I::family, &HashFamilyConfig::bin_size);
    plain(bound, "top", &S::index, &I::family, &HashFamilyConfig::top);
    plain(bound, "cells", &S::index, &I::family, &HashFamilyConfig::cells);
    plain(bound, "bias", &S::index, &I::mips, &MipsConfig::bias);
    plain(bound, "centre", &S::index, &I::mips, &MipsConfig::centre);
    plain(bound, "centre_queries", &S::index, &I::mips, &MipsConfig::centre_queries);
    plain(bound, "augment", &S::index, &I::mips, &MipsConfig::augment);
    plain(bound, "norm_ranges", &S::index, &I::mips, &MipsConfig::norm_ranges);
    named(bound, "bucket_policy", bucket_policy_names, &S::index, &I::bucket_policy);
    plain(bound, "bucket_size", &S::index, &I::bucket_size);
    plain(bound, "probes", &S::index, &I::probes);
    plain(bound, "rehash_first", &S::index, &I::rehash_first);
    plain(bound, "rehash_growth", &S::index, &I::rehash_growth);
    plain(bound, "rehash_changed", &S::index, &I::rehash_changed);
    plain(bound, "rehash_every", &S::index, &I::rehash_every);
    bound.def(
        "set_family",
        [](S& self, nb::object family, Index width) { self.family = std::make_shared<PythonFamily>(family, width); },
        "family"_a, "width"_a, "Use a hash family written in Python, for vectors of `width` floats.");
}

}  // namespace

void bind_settings(nb::module_& m) {
    bind_selector(m);
    nb::class_<LayerConfig> layer(m, "LayerConfig", "One hidden layer.");
    layer.def(nb::init<>());
    plain(layer, "width", &LayerConfig::width);
    named(layer, "activation", activations, &LayerConfig::activation);
    plain(layer, "length", &LayerConfig::length);
    plain(layer, "softness", &LayerConfig::softness);
    plain(layer, "dropout", &LayerConfig::dropout);
    plain(layer, "selector", &LayerConfig::selector);
    plain(layer, "winners", &LayerConfig::winners);

    nb::class_<NetworkConfig> config(m, "NetworkConfig",
                                     "Plain settings of a network; hashslide.settings documents and checks them.");
    config.def(nb::init<>());
    using C = NetworkConfig;
    plain(config, "n_features", &C::n_features);
    plain(config, "n_labels", &C::n_labels);
    plain(config, "hidden", &C::hidden);
    plain(config, "example_power", &C::example_power);
    plain(config, "input_scale", &C::input_scale);
    plain(config, "input_init", &C::input_init);
    plain(config, "input_dropout", &C::input_dropout);
    plain(config, "prior_correction", &C::prior_correction);
    plain(config, "seed", &C::seed);
    named(config, "loss", losses, &C::loss);
    named(config, "update", updates, &C::update);
    named(config, "precision", precisions, &C::precision);
    named(config, "optimizer", optimizers, &C::optimizer, &OptimizerConfig::kind);
    plain(config, "momentum", &C::optimizer, &OptimizerConfig::momentum);
    plain(config, "beta1", &C::optimizer, &OptimizerConfig::beta1);
    plain(config, "beta2", &C::optimizer, &OptimizerConfig::beta2);
    plain(config, "epsilon", &C::optimizer, &OptimizerConfig::epsilon);
    plain(config, "initial_accumulator", &C::optimizer, &OptimizerConfig::initial_accumulator);
    plain(config, "weight_decay", &C::optimizer, &OptimizerConfig::weight_decay);
    plain(config, "per_example", &C::active, &ActiveSetConfig::per_example);
    plain(config, "in_batch", &C::active, &ActiveSetConfig::in_batch);
    plain(config, "uniform", &C::active, &ActiveSetConfig::uniform);
    plain(config, "popular", &C::active, &ActiveSetConfig::popular);
    plain(config, "selector", &C::selector);
}
