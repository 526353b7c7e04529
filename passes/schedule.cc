#include "passes/schedule.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "passes/layout.h"
#include "passes/rewrite.h"
#include "runtime/abi/check.h"

namespace weft::passes {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// 64 KiB of weights take some 3 µs from memory at 20 GB/s, taking a unit some 50 ns.
constexpr int64_t kGrainBytes = 64 << 10;
// Heads of a row are small: so many columns at once are 4 KiB read and written.
constexpr int64_t kGrainColumns = 1024;
// Tokens whose queries meet a chunk of the cache together: whole tiles of 6 and of 12 queries
// (codegen/emit_attention.cc), so many that the chunk is read from afar seldom, and so few that a
// prompt of some hundred tokens makes units for several workers.
constexpr int64_t kAttentionTokens = 24;
// Heads that share cached ones are worked on together, so that these are read once, but never more
// than this many, nor more than so many columns: two states of 24 tokens take 192 KiB of the stack
// of whoever runs the unit.
constexpr int64_t kAttentionHeads = 8;
constexpr int64_t kAttentionColumns = 1024;
// Units of a step over a single token: enough for workers to share a long context, of which each
// unit takes a slice. A unit with nothing to do costs some nanoseconds.
constexpr int64_t kAttentionUnits = 32;

absl::StatusOr<StepPartition> PartitionPanels(const Module& module, const Node& matmul) {
  StepPartition result{.partition = "panels", .units = 0};
  const int64_t panels = ir::UnitPanels(matmul);
  int64_t largest = 1;
  for (NodeId weight : module.OperandsOf(matmul).weights) {
    const ir::Type& type = module.node(weight).type;
    if (type.layout == ir::Layout::kRows) {
      return absl::FailedPreconditionError(
          absl::StrCat("'", matmul.location,
                       "' has a weight that is not packed; pack-layout "
                       "comes before schedule"));
    }
    const absl::StatusOr<int64_t> bytes = PanelBytes(type);
    if (!bytes.ok()) return bytes.status();
    largest = std::max(largest, *bytes);
    result.units += DivideUp(Panels(type), panels);
  }
  result.grain = std::max<int64_t>(1, kGrainBytes / panels / largest);
  return result;
}

StepPartition PartitionHeads(const Node& node, int64_t heads) {
  const int64_t columns =
      node.op == Op::kKvAppend ? node.type.dims[3].value() : node.type.last().value() / heads;
  return {"token_heads", heads, std::clamp<int64_t>(kGrainColumns / columns, 1, heads)};
}

absl::StatusOr<StepPartition> PartitionAttention(const Module& module, const Node& node) {
  const int64_t cached = module.node(node.operands[1]).type.dims[2].value();
  const int64_t group = node.Int(Attr::kHeads) / cached;
  const int64_t columns = module.node(node.operands[1]).type.dims[3].value();
  if (columns > kAttentionColumns) {
    return absl::InvalidArgumentError(absl::StrCat("'", node.location, "' has heads of ", columns,
                                                   " columns, more than ", kAttentionColumns));
  }
  const int64_t most = std::min(kAttentionColumns / columns, kAttentionHeads);
  // Of a group: as few as divide it evenly into at most so many heads.
  int64_t parts = group;
  for (int64_t heads = 1; heads <= std::min(group, most); ++heads)
    if (group % heads == 0) parts = group / heads;
  const int64_t slices = std::max<int64_t>(1, kAttentionUnits / (cached * parts));
  return StepPartition{"token_heads", cached * parts * slices, 1, kAttentionTokens, slices};
}

}  // namespace

absl::StatusOr<StepPartition> PartitionOf(const Module& module, const Node& step) {
  switch (step.op) {
    case Op::kMatmul:
      return PartitionPanels(module, step);
    case Op::kRmsNorm:
      if (!step.Has(Attr::kGroup)) return StepPartition{"tokens", 1, 1};
      return PartitionHeads(step, step.type.last().value() / step.Int(Attr::kGroup));
    case Op::kRope:
    case Op::kKvAppend:
      return PartitionHeads(step, step.Int(Attr::kHeads));
    case Op::kAttention:
      return PartitionAttention(module, step);
    case Op::kEmbed:
    case Op::kLayerNorm:
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kActivate:
    case Op::kGatedActivate:
    case Op::kSoftcap:
    case Op::kSelectRows:
    case Op::kArgmax:
      return StepPartition{"tokens", 1, 1};
    case Op::kInput:
    case Op::kWeight:
    case Op::kRopeTable:
    case Op::kConcat:
    case Op::kPack:
    case Op::kSlice:
      break;
  }
  WEFT_CHECK(false);
}

absl::Status Schedule(Module* module, const PassOptions& /*options*/, bool* changed) {
  for (NodeId id : module->order()) {
    Node& node = module->node(id);
    if (node.op == Op::kSlice) {
      const Node& source = module->node(node.operands[0]);
      if (source.op == Op::kSlice) {  // itself a view by now
        const int64_t shift = source.Int(Attr::kBegin);
        node.Set(Attr::kBegin, node.Int(Attr::kBegin) + shift);
        node.Set(Attr::kEnd, node.Int(Attr::kEnd) + shift);
        node.operands = source.operands;
      }
      node.Set(Attr::kView, true);
    }
    if (!IsStep(node)) continue;
    const absl::StatusOr<StepPartition> partition = PartitionOf(*module, node);
    if (!partition.ok()) return partition.status();
    node.Set(Attr::kPartition, std::string(partition->partition));
    node.Set(Attr::kUnits, partition->units);
    if (partition->unit_rows > 1) node.Set(Attr::kUnitRows, partition->unit_rows);
    if (partition->slices > 1) node.Set(Attr::kSlices, partition->slices);
    node.Set(Attr::kGrain, partition->grain);
  }
  *changed = true;
  // A slice of a slice may have been the last use of the inner one.
  if (!IsCompact(*module)) module->Compact();
  return absl::OkStatus();
}

}  // namespace weft::passes
