// The arrays that a StateVisitor visits, as a dictionary of NumPy arrays and back.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "network/model_state.h"
#include "python/arrays.h"
#include "python/names.h"

namespace hashslide {

inline const Names<Role> roles{{"weight", Role::weight},
                        {"optimizer", Role::optimizer},
                        {"count", Role::count},
                        {"candidates", Role::candidates},
                        {"tables", Role::tables}};
inline const Names<Values> kinds{
    {"numbers", Values::numbers},       {"squares", Values::squares}, {"counts", Values::counts}, {"ids", Values::ids},
    {"sorted_ids", Values::sorted_ids}, {"offsets", Values::offsets}, {"ranges", Values::ranges}};

template <class T>
inline constexpr const char* type_name = "float32";
template <>
inline constexpr const char* type_name<Bf16> = "bfloat16";  // in NumPy, which has no such type, uint16
template <>
inline constexpr const char* type_name<Id> = "int32";
template <>
inline constexpr const char* type_name<Index> = "int64";

inline std::string name_of_type(nanobind::dlpack::dtype type) {
    const auto code = static_cast<nanobind::dlpack::dtype_code>(type.code);
    const char* kind = code == nanobind::dlpack::dtype_code::Float  ? "float"
                       : code == nanobind::dlpack::dtype_code::Int  ? "int"
                       : code == nanobind::dlpack::dtype_code::UInt ? "uint"
                       : code == nanobind::dlpack::dtype_code::Bool ? "bool"
                                                              : "other";
    return kind + std::to_string(type.bits * type.lanes);
}

template <class Items>
using Item = std::remove_cvref_t<decltype(std::declval<Items&>()[0])>;

// The shape of an array that is there: with the size that the others leave to it.
inline std::vector<std::size_t> shape_of(const ArrayInfo& info, std::size_t size) {
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

    nanobind::dict out;

private:
    template <class T>
    void add(const ArrayInfo& info, const Array<T>& array) {
        const std::vector<std::size_t> shape = shape_of(info, static_cast<std::size_t>(array.size()));
        using Keeper = std::shared_ptr<void>;
        const nanobind::capsule owner(new Keeper(array.keeper()), [](void* p) noexcept { delete static_cast<Keeper*>(p); });
        out[info.name.c_str()] = nanobind::ndarray<nanobind::numpy, const T>(array.data(), shape.size(), shape.data(), owner);
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

    nanobind::dict out;

private:
    void add(const std::string& name, Role role, const char* type, const std::vector<std::size_t>& shape,
             Values values) {
        out[name.c_str()] =
            nanobind::make_tuple(name_of(roles, role), type, nanobind::tuple(nanobind::cast(shape)), name_of(kinds, values));
    }
};

// Puts the arrays of a dictionary in the place of the visited ones.
class Restorer : public StateVisitor {
public:
    // borrow: called with what keeps the memory of each array, which is then used in place; empty: arrays are copied.
    explicit Restorer(const nanobind::dict& state, std::function<void(std::shared_ptr<void>)> borrow = {})
        : state_(state), borrow_(std::move(borrow)) {
        for (const auto& [name, array] : state) unused_.insert(nanobind::cast<std::string>(name));
    }
    bool replaces() const override { return true; }
    bool enter(const std::string& name, bool) override { return state_.contains(name.c_str()); }
    void visit(const ArrayInfo& info, ArrayRef array) override {
        std::visit([&](auto* items) { restore(info, *items); }, array);
    }
    void visit_tables(const std::string& layer, NeuronIndex& index) override {
        nanobind::dict part;
        const std::string prefix = layer + ".index.";
        for (const auto& [key, value] : state_) {
            const std::string name = nanobind::cast<std::string>(key);
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
        const nanobind::object given = state_[info.name.c_str()];
        nanobind::ndarray<nanobind::ro, nanobind::device::cpu> any;
        if (!nanobind::try_cast(given, any, false))
            throw std::invalid_argument("the array '" + info.name + "' is no array of numbers");
        std::vector<Index> shape;
        for (std::size_t i = 0; i < any.ndim(); ++i) shape.push_back(static_cast<Index>(any.shape(i)));
        const std::string type = name_of_type(any.dtype());
        check_shape(info, std::is_same_v<T, Bf16> && type == "uint16" ? type_name<T> : type, type_name<T>, shape);
        const auto array = nanobind::cast<nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu>>(given);
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
        if (borrow_)
            borrow_(keeper);
        else
            array.own();
    }
    template <class In>
    void take(std::vector<Index>& values, const In& from) {
        values.assign(from.data(), from.data() + from.size());
    }

    const nanobind::dict& state_;
    std::function<void(std::shared_ptr<void>)> borrow_;
    std::set<std::string> unused_;
};

}  // namespace hashslide
