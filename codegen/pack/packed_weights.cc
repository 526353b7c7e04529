#include "codegen/pack/packed_weights.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace weft::codegen {
namespace {

using ir::Attr;
using ir::Node;

// All that the bytes of a pack depend on; names in quotes and with their length, since they may
// hold anything. Empty for what is no pack of weights.
std::string Content(const ir::Module& module, const Node& pack) {
  std::string content = ir::ToString(pack.type);
  for (const ir::NodeId operand : pack.operands) {
    const Node& weight = module.node(operand);
    if (weight.op != ir::Op::kWeight) return "";
    const ir::SourceTensor* tensor = module.FindTensor(weight.String(Attr::kTensor));
    if (tensor == nullptr) return "";
    absl::StrAppend(&content, "; ", tensor->name.size(), "'", tensor->name, "' ",
                    Name(tensor->dtype), "[", absl::StrJoin(tensor->dims, ","), "] ", tensor->file,
                    " ", tensor->offset, " ", tensor->bytes, " rows ",
                    absl::StrJoin(weight.Ints(Attr::kRows), ","), " ", ir::ToString(weight.type),
                    weight.Bool(Attr::kTransposed) ? " transposed" : "");
  }
  return content;
}

}  // namespace

PackedWeights::PackedWeights(const ir::Module& module, absl::Span<const uint8_t> weights) {
  for (const ir::NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op != ir::Op::kPack || !node.Has(Attr::kAddress) || !node.Has(Attr::kBytes)) continue;
    const int64_t address = node.Int(Attr::kAddress);
    const int64_t bytes = node.Int(Attr::kBytes);
    const auto size = static_cast<int64_t>(weights.size());
    if (address < 0 || bytes <= 0 || bytes > size || address > size - bytes) continue;
    const std::string content = Content(module, node);
    if (!content.empty()) packs_.try_emplace(content, weights.subspan(address, bytes));
  }
}

absl::Span<const uint8_t> PackedWeights::Find(const ir::Module& module, const Node& pack) const {
  const auto found = packs_.find(Content(module, pack));
  if (found == packs_.end()) return {};
  // The same content has the same size, unless the earlier module is not what the compiler writes.
  if (static_cast<int64_t>(found->second.size()) != pack.Int(Attr::kBytes)) return {};
  return found->second;
}

}  // namespace weft::codegen
