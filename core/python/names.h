// Names of settings in Python for the values of C++ enumerations.
#pragma once

#include <map>
#include <stdexcept>
#include <string>

#include "sampling/sampler.h"

namespace hashslide {

template <class E>
using Names = std::map<std::string, E>;

inline const Names<SamplerKind> sampler_names{
    {"all", SamplerKind::all},     {"uniform", SamplerKind::uniform},     {"vanilla", SamplerKind::vanilla},
    {"top", SamplerKind::top},     {"threshold", SamplerKind::threshold}, {"scored", SamplerKind::scored},
    {"exact", SamplerKind::exact}, {"standout", SamplerKind::standout}};

inline const Names<BucketPolicy> bucket_policy_names{{"fifo", BucketPolicy::fifo},
                                                     {"reservoir", BucketPolicy::reservoir}};

template <class E>
E parse(const Names<E>& names, const std::string& name) {
    const auto found = names.find(name);
    if (found == names.end()) throw std::invalid_argument("unknown name: " + name);
    return found->second;
}

template <class E>
std::string name_of(const Names<E>& names, E value) {
    for (const auto& [name, v] : names)
        if (v == value) return name;
    throw std::logic_error("a value without a name");
}

}  // namespace hashslide
