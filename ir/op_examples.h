// For tests: one legal module per op, written by hand in the text form.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "ir/op.h"

namespace weft::ir {

// A module whose output is a node of `op`, in the form that Print gives.
std::string ExampleOf(Op op);

// A module with the nodes `lines` (numbered from %6) behind %0 ids, %1 positions, %2 a table
// bf16[10,64], %3 its rows f32[T,64], %4 a vector f32[64] and %5 a matrix f16[64,64]; it returns
// the last node and %3. Tensors "table", "norm", "square", "blocks" q8_0[96,64], "scalar", "none".
std::string ExampleModule(absl::string_view lines);

}  // namespace weft::ir
