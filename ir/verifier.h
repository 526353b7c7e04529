// Whether a module is legal: what every pass may rely on and must leave.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/module.h"

namespace weft::ir {

// A model of 1,000 layers has less than half as many; some passes take time with the square.
inline constexpr size_t kMaxNodes = size_t{1} << 17;

// Tensors have names of their own, bounded dims and the bytes that these give; operands stand
// before their users; arity, attributes and their kinds are those of the table; the type of every
// node is the one that inference gives; outputs exist; nodes and what they stack are few enough.
// The error names the node by its text, and `culprit` gets its id where the error is about a node;
// `wrong_tensor` a tensor's index where it is about that, otherwise their number.
absl::Status Verify(const Module& module, NodeId* culprit = nullptr,
                    size_t* wrong_tensor = nullptr);

// Arity, attributes and their kinds are those of the table; operands are nodes of the module.
absl::Status CheckAgainstTable(const Module& module, const Node& node);

// Checks the node against the table, then gives the type that the table's hook gives for its
// operands and attributes; an error says what does not fit.
absl::StatusOr<Type> InferType(const Module& module, const Node& node);

}  // namespace weft::ir
