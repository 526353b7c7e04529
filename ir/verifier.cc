#include "ir/verifier.h"

#include <limits>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

// Of a tensor. What is said of a weight names its tensor, for each of its uses anew.
constexpr size_t kMaxNameBytes = 2048;

absl::Status CheckAttrs(const Node& node) {
  const OpInfo& info = GetInfo(node.op);
  for (Attr attr : info.required) {
    if (!node.Has(attr))
      return absl::InvalidArgumentError(absl::StrCat("lacks the attribute '", Name(attr), "'"));
  }
  for (const auto& [attr, value] : node.attrs) {
    if (!Accepts(node.op, attr)) {
      return absl::InvalidArgumentError(
          absl::StrCat(Name(node.op), " has no attribute '", Name(attr), "'"));
    }
    if (value.index() != static_cast<size_t>(GetInfo(attr).kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", Name(attr), "' must be of kind ", Name(GetInfo(attr).kind)));
    }
  }
  return absl::OkStatus();
}

// What passes that schedule and plan memory add.
absl::Status CheckPlace(const Node& node) {
  const bool placed = node.Has(Attr::kSpace);
  if (node.Has(Attr::kAddress) != placed || node.Has(Attr::kBytes) != placed)
    return absl::InvalidArgumentError("has not all of space, address and bytes");
  for (const Attr attr : {Attr::kSlices, Attr::kWorkspace}) {
    if (node.Has(attr) && node.op != Op::kAttention) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", Name(attr), "' is of attention alone"));
    }
  }
  return absl::OkStatus();
}

// How many weights a stack is, where what it is made of counts as often as it occurs: some lines
// that each stack the one before twice would make millions of them. What passes and commands say of
// a use of a stack, they say of each of its weights.
absl::Status CheckStack(const Module& module, NodeId id, std::vector<int64_t>* sizes) {
  constexpr int64_t kMost = 16;  // known models stack q, k and v, or gate and up
  const Node& node = module.node(id);
  int64_t& size = (*sizes)[id];
  size = 1;
  if (node.op == Op::kMatmul) {
    size = node.Int(Attr::kWeights, 1);
  } else if (node.op == Op::kConcat || node.op == Op::kPack) {
    size = 0;
    for (const NodeId operand : node.operands) size += (*sizes)[operand];
  }
  if (size <= kMost) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stacks ", size, " weights, those of its parts counted, more than ", kMost));
}

absl::Status CheckTensor(const SourceTensor& tensor) {
  const absl::StatusOr<uint64_t> bytes = TensorBytes(tensor.dtype, tensor.dims);
  if (!bytes.ok()) return bytes.status();
  if (*bytes != tensor.bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", tensor.bytes, " bytes, but its dims give ", *bytes));
  }
  if (tensor.file < 0) return absl::InvalidArgumentError("files count from 0");
  if (tensor.offset > std::numeric_limits<uint64_t>::max() - tensor.bytes) {
    return absl::InvalidArgumentError("ends beyond 2^64 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckNode(const Module& module, NodeId id, const std::vector<bool>& defined) {
  const Node& node = module.node(id);
  for (size_t i = 0; i < node.operands.size(); ++i) {
    const NodeId operand = node.operands[i];
    if (operand < 0 || operand >= module.id_bound() || !defined[operand]) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " is not defined before it"));
    }
  }
  if (absl::Status status = CheckPlace(node); !status.ok()) return status;
  const absl::StatusOr<Type> type = InferType(module, node);
  if (!type.ok()) return type.status();
  if (*type != node.type) {
    return absl::InvalidArgumentError(absl::StrCat("has type ", ToString(node.type),
                                                   ", but its operands give ", ToString(*type)));
  }
  return absl::OkStatus();
}

// Not so much of it that what is wrong with it gets lost.
std::string NodeText(const Module& module, NodeId id) {
  constexpr size_t kMost = 400;
  std::string text = PrintNode(module, id);
  if (text.size() <= kMost) return text;
  size_t size = kMost;
  while ((static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80) --size;  // within a character
  text.resize(size);
  return text + "…";
}

}  // namespace

absl::Status CheckAgainstTable(const Module& module, const Node& node) {
  const OpInfo& info = GetInfo(node.op);
  const int count = static_cast<int>(node.operands.size());
  if (count < info.min_operands || (info.max_operands >= 0 && count > info.max_operands)) {
    return absl::InvalidArgumentError(absl::StrCat(
        info.name, " has ", count, " operands, not ", info.min_operands,
        info.max_operands < 0                    ? " or more"
        : info.max_operands == info.min_operands ? ""
                                                 : absl::StrCat(" to ", info.max_operands)));
  }
  for (size_t i = 0; i < node.operands.size(); ++i) {
    if (node.operands[i] < 0 || node.operands[i] >= module.id_bound()) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " does not exist"));
    }
  }
  return CheckAttrs(node);
}

absl::Status Verify(const Module& module, NodeId* culprit, size_t* wrong_tensor) {
  absl::flat_hash_set<absl::string_view> names;
  for (size_t i = 0; i < module.tensors.size(); ++i) {
    const SourceTensor& tensor = module.tensors[i];
    if (wrong_tensor != nullptr) *wrong_tensor = i;
    if (tensor.name.size() > kMaxNameBytes) {
      return absl::InvalidArgumentError(absl::StrCat("the name of tensor ", i, " has ",
                                                     tensor.name.size(), " bytes; the most is ",
                                                     kMaxNameBytes));
    }
    if (!names.insert(tensor.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", tensor.name, "' is declared twice"));
    }
    if (absl::Status status = CheckTensor(tensor); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("tensor '", tensor.name, "': ", status.message()));
    }
  }
  if (wrong_tensor != nullptr) *wrong_tensor = module.tensors.size();
  if (module.order().size() > kMaxNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a module of ", module.order().size(), " nodes; the most is ", kMaxNodes));
  }
  std::vector<bool> defined(module.id_bound(), false);
  std::vector<int64_t> sizes(module.id_bound());
  for (NodeId id : module.order()) {
    if (defined[id])
      return absl::InvalidArgumentError(absl::StrCat("%", id, " stands twice in the order"));
    absl::Status status = CheckNode(module, id, defined);
    if (status.ok()) status = CheckStack(module, id, &sizes);
    if (!status.ok()) {
      if (culprit != nullptr) *culprit = id;
      return absl::Status(status.code(),
                          absl::StrCat("'", NodeText(module, id), "': ", status.message()));
    }
    defined[id] = true;
  }
  if (module.outputs.empty())
    return absl::InvalidArgumentError("a module returns at least one value");
  for (size_t i = 0; i < module.outputs.size(); ++i) {
    const NodeId id = module.outputs[i];
    if (id < 0 || id >= module.id_bound() || !defined[id]) {
      return absl::InvalidArgumentError(absl::StrCat("output ", i, " is not defined"));
    }
  }
  return absl::OkStatus();
}

}  // namespace weft::ir
