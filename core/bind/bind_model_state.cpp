// The state of a network as a dictionary of NumPy arrays and back.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "network/model_state.h"
#include "network/network.h"
#include "python/arrays.h"
#include "python/names.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hashslide;

namespace {

const Names<Role> roles{{"weight", Role::weight},
                        {"optimizer", Role::optimizer},
                        {"count", Role::count},
                        {"candidates", Role::candidates},
                        {"tables", Role::tables}};
const Names<Values> kinds{
    {"numbers", Values::numbers},       {"squares", Values::squares}, {"counts", Values::counts}, {"ids", Values::ids},
    {"sorted_ids", Values::sorted_ids}, {"offsets", Values::offsets}, {"ranges", Values::ranges}};

template <class T>
constexpr const char* type_name = "float32";
template <>
constexpr const char* type_name<Bf16> = "bfloat16";  // in NumPy, which has no such type, uint16
template <>
constexpr const char* type_name<Id> = "int32";
template <>
constexpr const char* type_name<Index> = "int64";

std::string name_of_type(nb::dlpack::dtype type) {
    const auto code = static_cast<nb::dlpack::dtype_code>(type.code);
    const char* kind = code == nb::dlpack::dtype_code::Float  ? "float"
                       : code == nb::dlpack::dtype_code::Int  ? "int"
                       : code == nb::dlpack::dtype_code::UInt ? "uint"
                       : code == nb::dlpack::dtype_code::Bool ? "bool"
                                                              : "other";
    return kind + std::to_string(type.bits * type.lanes);
}

template <class Items>
using Item = std::remove_cvref_t<decltype(std::declval<Items&>()[0])>;

// The shape of an array that is there: with the size that the others leave to it.
std::vector<std::size_t> shape_of(const ArrayInfo& info, std::size_t size) {
    std::size_t known = 1;
    for (const Index n : info.shape)
        if (n >= 0) known *= static_cast<std::size_t>(n);
    std::vector<std::size_t> shape;
    for (const Index n : info.shape) shape.push_back(n >= 0 ? static_cast<std::size_t>(n) : size / known);
    return shape;
}

// Views of the network's own memory, which each of them keeps; of what is no array, copies.
class Views : public StateVisitor {
public:
    explicit Views(const std::set<Role>& wanted) : wanted_(wanted) {}
    void visit(const ArrayInfo& info, ArrayRef array) override {
        if (wanted_.contains(info.role)) std::visit([&](auto* items) { add(info, *items); }, array);
    }
    void visit_tables(const std::string& layer, NeuronIndex& index) override {
        if (!wanted_.contains(Role::tables)) return;
        for (const auto& [name, values] : index.state())
            std::visit([&, key = layer + ".index." + name](const auto& v) { out[key.c_str()] = to_array(v); }, values);
    }

    nb::dict out;

private:
    template <class T>
    void add(const ArrayInfo& info, const Array<T>& array) {
        const std::vector<std::size_t> shape = shape_of(info, static_cast<std::size_t>(array.size()));
        using Keeper = std::shared_ptr<void>;
        const nb::capsule owner(new Keeper(array.keeper()), [](void* p) noexcept { delete static_cast<Keeper*>(p); });
        out[info.name.c_str()] = nb::ndarray<nb::numpy, const T>(array.data(), shape.size(), shape.data(), owner);
    }
    void add(const ArrayInfo& info, const std::vector<Index>& values) { out[info.name.c_str()] = to_array(values); }

    const std::set<Role>& wanted_;
};

// (role, type, shape, values) of every array, by its name.
class Schema : public StateVisitor {
public:
    void visit(const ArrayInfo& info, ArrayRef array) override {
        std::visit(
            [&](auto* items) {
                const auto shape = shape_of(info, static_cast<std::size_t>(items->size()));
                add(info.name, info.role, type_name<Item<decltype(*items)>>, shape, info.values);
            },
            array);
    }
    void visit_tables(const std::string& layer, NeuronIndex& index) override {
        for (const auto& [name, values] : index.state())
            std::visit(
                [&, key = layer + ".index." + name](const auto& v) {
                    add(key, Role::tables, type_name<Item<decltype(v)>>, {v.size()}, Values::numbers);
                },
                values);
    }

    nb::dict out;

private:
    void add(const std::string& name, Role role, const char* type, const std::vector<std::size_t>& shape,
             Values values) {
        out[name.c_str()] =
            nb::make_tuple(name_of(roles, role), type, nb::tuple(nb::cast(shape)), name_of(kinds, values));
    }
};

// Puts the arrays of a dictionary in the place of the network's own.
class Restorer : public StateVisitor {
public:
    Restorer(Network& network, const nb::dict& state, bool copy) : network_(network), state_(state), copy_(copy) {
        for (const auto& [name, array] : state) unused_.insert(nb::cast<std::string>(name));
    }
    bool replaces() const override { return true; }
    bool enter(const std::string& name, bool) override { return state_.contains(name.c_str()); }
    void visit(const ArrayInfo& info, ArrayRef array) override {
        std::visit([&](auto* items) { restore(info, *items); }, array);
    }
    void visit_tables(const std::string& layer, NeuronIndex& index) override {
        nb::dict part;
        const std::string prefix = layer + ".index.";
        for (const auto& [key, value] : state_) {
            const std::string name = nb::cast<std::string>(key);
            if (name.starts_with(prefix)) part[name.substr(prefix.size()).c_str()] = value;
        }
        if (part.size() > 0) index.restore(state_from_dict(part), 1);
    }
    // Tables of a layer that has none are left out: their hash family may not be there.
    void check_all_used() const {
        for (const std::string& name : unused_)
            if (name.find(".index.") == std::string::npos)
                throw std::invalid_argument("the network's state holds the array '" + name +
                                            "', which this network does not have");
    }

private:
    template <class Items>
    void restore(const ArrayInfo& info, Items& items) {
        using T = Item<Items>;
        if (unused_.erase(info.name) == 0) {
            if (info.role != Role::optimizer)
                throw std::invalid_argument("the network's state lacks the array '" + info.name + "'");
            items = Items(shape_size(info));
            return;
        }
        const nb::object given = state_[info.name.c_str()];
        nb::ndarray<nb::ro, nb::device::cpu> any;
        if (!nb::try_cast(given, any, false))
            throw std::invalid_argument("the array '" + info.name + "' is no array of numbers");
        std::vector<Index> shape;
        for (std::size_t i = 0; i < any.ndim(); ++i) shape.push_back(static_cast<Index>(any.shape(i)));
        const std::string type = name_of_type(any.dtype());
        check_shape(info, std::is_same_v<T, Bf16> && type == "uint16" ? type_name<T> : type, type_name<T>, shape);
        const auto array = nb::cast<nb::ndarray<const T, nb::c_contig, nb::device::cpu>>(given);
        check_values(info, array.data(), static_cast<Index>(array.size()));
        take(items, array);
    }
    static Index shape_size(const ArrayInfo& info) {
        Index size = 1;
        for (const Index n : info.shape) size *= n;
        return size;
    }
    template <class T, class In>
    void take(Array<T>& array, const In& from) {
        const auto keeper = std::make_shared<In>(from);
        array = Array<T>::borrow(from.data(), static_cast<Index>(from.size()), keeper);
        if (copy_)
            array.own();
        else
            network_.borrow(keeper);
    }
    template <class In>
    void take(std::vector<Index>& values, const In& from) {
        values.assign(from.data(), from.data() + from.size());
    }

    Network& network_;
    const nb::dict& state_;
    bool copy_;
    std::set<std::string> unused_;
};

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
    Restorer restorer(*network, state, copy);
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
