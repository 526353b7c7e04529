// The text form of modules. parse(print(m)) prints the same for every module; docs/ir.md describes
// the grammar. Values are numbered in program order, whatever their ids are.
//
//   module "smollm2" {
//     tensor "model.norm.weight" : f32[576] {file=0, offset=1024}
//     %0 = input {name="tokens"} : i32[T]
//     %1 = weight {tensor="model.norm.weight"} : f32[576] @ "model.norm.weight"
//     ...
//     return %7
//   }
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ir/module.h"

namespace weft::ir {

std::string Print(const Module& module);
// The same with numbers of the caller's choice, which Parse takes as well: by id, no two alike.
std::string PrintNumbered(const Module& module, const std::vector<NodeId>& numbers);
// By id: the line of Print, from 1, that the node has to itself; 0 for ids without a node.
std::vector<int> LinesOf(const Module& module);
// One node as its line stands in Print, without the newline; O(module).
std::string PrintNode(const Module& module, NodeId id);
// One object: name, tensors, nodes (id, op, operands, attributes, type, location), outputs. Of a
// verified module.
std::string PrintJson(const Module& module);

// Parses and verifies. Errors start with "line:column: " and say what was expected there.
absl::StatusOr<Module> Parse(absl::string_view text);
// Parses what need not be legal: for tests of the verifier only.
absl::StatusOr<Module> ParseWithoutVerifying(absl::string_view text);

}  // namespace weft::ir
