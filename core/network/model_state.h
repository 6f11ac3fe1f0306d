// Every array that makes up a network, in one place: its name, what it is for, its type, its shape and what it may
// hold. Views, files, checks and restoring visit them (Network::visit_state); a new array needs one line there.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/memory.h"
#include "base/state.h"
#include "learning/neurons.h"
#include "tables/neuron_index.h"

namespace hashslide {

//   weight      a parameter, or which parameters there are
//   optimizer   what the optimiser remembers of a weight; without it, training goes on afresh
//   count       how much has been seen so far
//   candidates  the candidate lists of approximate prediction
//   tables      the hash tables of a layer; without them they are built again
enum class Role { weight, optimizer, count, candidates, tables };

// What is used as an index or a count is checked where it comes from outside.
//   counts      from 0 to `limit`
//   ids         from 0 to `limit` - 1
//   sorted_ids  the same, rising within each of `lists`
//   offsets     rising from 0
//   ranges      pairs of a first place and the one after the last, from 0 to `limit`
//   squares     sums of squares: not negative. As they are many, whoever reads a file looks at them (by the schema).
enum class Values { numbers, squares, counts, ids, sorted_ids, offsets, ranges };

struct ArrayInfo {
    std::string name;
    Role role;
    std::vector<Index> shape;  // -1: as many as there are
    Values values = Values::numbers;
    Index limit = 0;
    const Array<Index>* lists = nullptr;
};

using ArrayRef = std::variant<Array<float>*, Array<Bf16>*, Array<Id>*, Array<Index>*, std::vector<Index>*>;

// Visits in an order in which shapes and limits depend only on what came before, so that a visitor may replace content.
class StateVisitor {
public:
    virtual ~StateVisitor() = default;
    // Whether visit() changes what it is given.
    virtual bool replaces() const { return false; }
    // Whether the arrays that belong together with the named one are there. present: in the network as it is.
    virtual bool enter(const std::string& /*name*/, bool present) { return present; }
    virtual void visit(const ArrayInfo& info, ArrayRef array) = 0;
    // The arrays of one layer's hash tables; NeuronIndex knows what they are.
    virtual void visit_tables(const std::string& /*layer*/, NeuronIndex& /*index*/) {}
};

constexpr Index most_counted = Index{1} << 53;  // no sum of two such counts overflows, and a double holds it exactly

// Parts that are stored in the same way wherever they are: of `rows` rows of `columns` weights, of an optimiser for
// the array of that name, of neurons.
void visit_weight(StateVisitor& visitor, const std::string& name, Weights& weight, Index rows, Index columns);
void visit_optimizer(StateVisitor& visitor, const std::string& array, Optimizer& optimizer);
void visit_neurons(StateVisitor& visitor, const std::string& name, Neurons& neurons);

// Throws std::invalid_argument if an array that comes from outside is not what `info` says. n: items.
void check_shape(const ArrayInfo& info, const std::string& found_type, const std::string& wanted_type,
                 const std::vector<Index>& shape);
void check_values(const ArrayInfo& info, const Index* values, Index n);
void check_values(const ArrayInfo& info, const Id* values, Index n);
inline void check_values(const ArrayInfo&, const float*, Index) {}
inline void check_values(const ArrayInfo&, const Bf16*, Index) {}

}  // namespace hashslide
