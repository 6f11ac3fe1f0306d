// The state of a network as a dictionary of NumPy arrays and back.
#include <nanobind/nanobind.h>

#include <cstdio>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "network/network.h"
#include "python/state_arrays.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

nb::dict state(Network& self, const std::vector<std::string>& wanted) {
    std::set<Role> some;
    for (const std::string& role : wanted) some.insert(parse(roles, role));
    Views views(some);
    self.visit_state(views);
    return std::move(views.out);
}

nb::dict schema(Network& self) {
    Schema schema;
    self.visit_state(schema);
    return std::move(schema.out);
}

// Before memory is asked for: the settings of a damaged file may promise any number of weights.
void check_size(const NetworkConfig& config, const nb::dict& state) {
    double given = 0, wanted = 0;
    for (const auto& [name, array] : state)
        if (nb::ndarray<nb::ro, nb::device::cpu> a; nb::try_cast(array, a, false))
            given += static_cast<double>(a.size());
    Index width = config.n_features;
    for (const LayerConfig& layer : config.hidden) {
        wanted += static_cast<double>(width) * static_cast<double>(layer.width);
        width = layer.width;
    }
    wanted += static_cast<double>(width) * static_cast<double>(config.n_labels);
    constexpr double harmless = 1 << 20;  // the arrays themselves are looked at one by one
    if (wanted <= given + harmless) return;
    char message[200];
    std::snprintf(message, sizeof message,
                  "the network's settings ask for %.0f weights, but its state holds %.0f numbers in all", wanted,
                  given);
    throw std::invalid_argument(message);
}

Network* from_state(const NetworkConfig& config, const nb::dict& state, bool copy) {
    check_size(config, state);
    auto network = std::make_unique<Network>(config, false);
    const auto borrow = [&](std::shared_ptr<void> keeper) { network->borrow(std::move(keeper)); };
    Restorer restorer(state, copy ? std::function<void(std::shared_ptr<void>)>() : borrow);
    network->visit_state(restorer);
    restorer.check_all_used();
    network->build_tables();
    return network.release();
}

}  // namespace

void bind_model_state(nb::class_<Network>& network) {
    std::vector<std::string> all;
    for (const auto& [name, role] : roles) all.push_back(name);
    network
        .def("state", &state, "roles"_a = all,
             "Read-only arrays by name: views that keep their memory, of the tables and counts copies.")
        .def("schema", &schema, "(role, dtype, shape, values) of every array of state(), by name.")
        .def("own_state", &Network::own_state, "Copy the arrays that from_state has borrowed, and let go of them.")
        .def_static(
            "from_state", &from_state, "config"_a, "state"_a, "copy"_a,
            "A network with the arrays of state(). Those of the optimiser may be missing: it then starts afresh. "
            "Without the arrays of tables these are built again. copy=False borrows the arrays until the first "
            "train_batch.");
}
