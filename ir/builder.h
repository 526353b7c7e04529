// Appends nodes with inferred types. Errors of inference come back as Status, since shapes come
// from model files.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace weft::ir {

using Attrs = std::vector<std::pair<Attr, AttrValue>>;

// The node with the type that inference gives; the error names the location.
absl::StatusOr<Node> MakeNode(const Module& module, Op op, std::vector<NodeId> operands,
                              Attrs attrs, std::string location);

class Builder {
 public:
  explicit Builder(Module* module) : module_(*module) {}

  // After the first error every call returns the last good id and changes nothing; `status()` holds
  // that error. This keeps graph descriptions free of error handling.
  NodeId Add(Op op, std::vector<NodeId> operands, Attrs attrs, std::string location);
  void Fail(absl::Status status);
  const absl::Status& status() const { return status_; }
  const Type& type(NodeId id) const { return module_.node(id).type; }
  Module& module() { return module_; }

 private:
  Module& module_;
  absl::Status status_;
};

}  // namespace weft::ir
