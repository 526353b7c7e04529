#include "ir/builder.h"

#include "absl/strings/str_cat.h"
#include "ir/verifier.h"

namespace weft::ir {

absl::StatusOr<Node> MakeNode(const Module& module, Op op, std::vector<NodeId> operands,
                              Attrs attrs, std::string location) {
  Node node{.op = op, .operands = std::move(operands), .location = std::move(location)};
  for (auto& [attr, value] : attrs) node.Set(attr, std::move(value));
  absl::StatusOr<Type> type = InferType(module, node);
  if (!type.ok()) {
    return absl::Status(type.status().code(), absl::StrCat(Name(op), " at '", node.location,
                                                           "': ", type.status().message()));
  }
  node.type = *std::move(type);
  return node;
}

NodeId Builder::Add(Op op, std::vector<NodeId> operands, Attrs attrs, std::string location) {
  const NodeId last = module_.id_bound() - 1;
  if (!status_.ok()) return last;
  absl::StatusOr<Node> node =
      MakeNode(module_, op, std::move(operands), std::move(attrs), std::move(location));
  if (!node.ok()) {
    Fail(node.status());
    return last;
  }
  return module_.Append(*std::move(node));
}

void Builder::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace weft::ir
