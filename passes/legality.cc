#include "passes/legality.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ir/text.h"
#include "passes/layout.h"
#include "passes/rewrite.h"
#include "passes/schedule.h"

namespace weft::passes {
namespace {

using absl::OkStatus;
using absl::Status;
using ir::Attr;
using ir::Layout;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

Status Bad(const Module& module, NodeId id, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", ir::PrintNode(module, id), "': ", what));
}

Status CheckPack(const Module& module, NodeId id) {
  const Node& pack = module.node(id);
  for (NodeId operand : pack.operands) {
    const Node& weight = module.node(operand);
    if (weight.op != Op::kWeight) return Bad(module, id, "packs what is no weight");
    if (!weight.Has(Attr::kFormat)) return Bad(module, operand, "has no format");
    if (weight.String(Attr::kFormat) != pack.String(Attr::kFormat))
      return Bad(module, id, "is not of its weights' format");
  }
  return OkStatus();
}

Layout LayoutRead(const Module& module, const Node& user, const ir::Type& type) {
  if (type.rank() == 1) return Layout::kRows;
  if (user.op == Op::kMatmul && !ir::GatedFn(user).empty()) return Layout::kPanels16x2;
  return user.op == Op::kEmbed && IsPositionTable(module, user) ? Layout::kRows : Layout::kPanels16;
}

// Calls check(id) for each node in order, up to the first error.
template <typename Check>
Status ForEach(const Module& module, Check check) {
  for (NodeId id : module.order()) {
    if (Status status = check(id); !status.ok()) return status;
  }
  return OkStatus();
}

// Node `id` in the arena as bytes [begin, end).
struct Block {
  NodeId id;
  int64_t begin;
  int64_t end;
};

// Walks through the steps as they run and keeps what is alive.
Status CheckDisjoint(const Module& module) {
  const auto& order = module.order();
  std::vector<size_t> last_use(module.id_bound(), 0);
  const auto use = [&](NodeId id, size_t place) {
    if (module.node(id).Bool(Attr::kView)) id = module.node(id).operands[0];
    last_use[id] = std::max(last_use[id], place);
  };
  for (size_t place = 0; place < order.size(); ++place) {
    for (NodeId operand : module.node(order[place]).operands) use(operand, place);
  }
  for (NodeId id : module.outputs) use(id, order.size());

  // By begin; none overlap, so that neighbours are enough to look at.
  std::map<int64_t, Block> live;
  std::vector<std::vector<int64_t>> ends(order.size() + 1);  // begins, by last use
  const auto add = [&](NodeId id, size_t place) -> Status {
    const Node& node = module.node(id);
    const int64_t begin = node.Int(Attr::kAddress);
    const Block block{id, begin, begin + node.Int(Attr::kBytes)};
    const auto next = live.lower_bound(begin);
    for (auto near : {next == live.begin() ? live.end() : std::prev(next), next}) {
      if (near == live.end()) continue;
      const Block& other = near->second;
      if (block.begin < other.end && other.begin < block.end)
        return Bad(module, id, absl::StrCat("overlaps %", other.id, ", which is alive"));
    }
    if (block.begin < block.end && live.emplace(begin, block).second)
      ends[std::max(last_use[id], place)].push_back(begin);
    return OkStatus();
  };
  for (NodeId id : order) {
    if (module.node(id).op != Op::kInput) continue;
    if (Status status = add(id, 0); !status.ok()) return status;
  }
  for (size_t place = 0; place < order.size(); ++place) {
    if (place > 0) {
      for (const int64_t begin : ends[place - 1]) live.erase(begin);
    }
    const Node& node = module.node(order[place]);
    if (!IsStep(node) || node.op == Op::kKvAppend) continue;
    if (Status status = add(order[place], place); !status.ok()) return status;
  }
  return OkStatus();
}

// Weights and caches live for ever.
Status CheckSpace(const Module& module, absl::string_view space) {
  std::vector<NodeId> values;
  for (NodeId id : module.order()) {
    if (module.node(id).Has(Attr::kSpace) && module.node(id).String(Attr::kSpace) == space)
      values.push_back(id);
  }
  const auto begin = [&](NodeId id) { return module.node(id).Int(Attr::kAddress); };
  std::ranges::sort(values, {}, begin);
  for (size_t i = 1; i < values.size(); ++i) {
    if (begin(values[i - 1]) + module.node(values[i - 1]).Int(Attr::kBytes) > begin(values[i]))
      return Bad(module, values[i], absl::StrCat("overlaps %", values[i - 1]));
  }
  return OkStatus();
}

Status CheckView(const Module& module, NodeId id, const PassOptions& options) {
  const Node& view = module.node(id);
  const Node& shown = module.node(view.operands[0]);
  const int64_t rows = MaxRows(view.type, options);
  if (!view.Has(Attr::kStride) || view.Int(Attr::kStride) != shown.Int(Attr::kStride) ||
      view.String(Attr::kSpace) != shown.String(Attr::kSpace) ||
      view.Int(Attr::kAddress) != shown.Int(Attr::kAddress) + 4 * view.Int(Attr::kBegin) ||
      view.Int(Attr::kBytes) !=
          (rows - 1) * view.Int(Attr::kStride) + 4 * view.type.last().value()) {
    return Bad(module, id, "does not lie where its columns are");
  }
  return OkStatus();
}

absl::string_view SpaceOf(const Node& node) {
  if (node.op == Op::kPack || node.op == Op::kRopeTable) return "weights";
  return node.op == Op::kKvAppend ? "kv" : "arena";
}

absl::StatusOr<int64_t> BytesNeeded(const Node& node, const PassOptions& options,
                                    const absl::StatusOr<int64_t>& context) {
  if (SpaceOf(node) == "weights") return PackedBytes(node.type);
  if (node.op == Op::kKvAppend) return context.ok() ? KvBytes(node.type, *context) : context;
  if (node.type.rank() == 1) return RoundUp(4 * MaxRows(node.type, options), kAlignment);
  const absl::StatusOr<int64_t> stride = RowStride(node.type);
  if (!stride.ok()) return stride.status();
  if (!node.Has(Attr::kStride) || node.Int(Attr::kStride) != *stride)
    return absl::InvalidArgumentError("has the wrong stride");
  absl::StatusOr<int64_t> bytes = Product({MaxRows(node.type, options), *stride});
  if (!bytes.ok() || !node.Has(Attr::kSlices)) return bytes;
  if (!context.ok()) return context.status();
  const absl::StatusOr<int64_t> workspace = WorkspaceBytes(node, *context);
  if (!workspace.ok()) return workspace.status();
  if (node.Int(Attr::kWorkspace, 0) != *workspace)
    return absl::InvalidArgumentError(absl::StrCat("needs a workspace of ", *workspace, " bytes"));
  return *bytes + *workspace;
}

Status CheckPlace(const Module& module, NodeId id, const PassOptions& options,
                  const absl::StatusOr<int64_t>& context) {
  const Node& node = module.node(id);
  if (node.op == Op::kWeight) return OkStatus();
  if (!node.Has(Attr::kSpace) || !node.Has(Attr::kAddress) || !node.Has(Attr::kBytes))
    return Bad(module, id, "has no place in memory");
  if (node.Bool(Attr::kView)) return CheckView(module, id, options);
  if (node.String(Attr::kSpace) != SpaceOf(node)) return Bad(module, id, "is in the wrong space");
  if (node.Int(Attr::kAddress) < 0 || node.Int(Attr::kAddress) % kAlignment != 0)
    return Bad(module, id, "is not aligned");
  const absl::StatusOr<int64_t> bytes = BytesNeeded(node, options, context);
  if (!bytes.ok()) return Bad(module, id, bytes.status().message());
  if (node.Int(Attr::kBytes) != *bytes)
    return Bad(module, id, absl::StrCat("needs ", *bytes, " bytes"));
  return OkStatus();
}

}  // namespace

Status CheckPacked(const Module& module, const PassOptions& /*options*/) {
  return ForEach(module, [&](NodeId id) -> Status {
    const Node& node = module.node(id);
    if (node.op == Op::kPack) return CheckPack(module, id);
    if (node.op == Op::kConcat) return Bad(module, id, "is left after packing");
    for (NodeId operand : node.operands) {
      const Node& value = module.node(operand);
      if (IsConstant(value)) return Bad(module, id, "uses a weight that is not packed");
      if (value.op == Op::kPack && value.type.layout != LayoutRead(module, node, value.type))
        return Bad(module, id, absl::StrCat("cannot read the layout of %", operand));
    }
    return OkStatus();
  });
}

Status CheckScheduled(const Module& module, const PassOptions& options) {
  if (Status status = CheckPacked(module, options); !status.ok()) return status;
  return ForEach(module, [&](NodeId id) -> Status {
    const Node& node = module.node(id);
    if (node.op == Op::kSlice && !node.Bool(Attr::kView)) return Bad(module, id, "is no view");
    if (node.Bool(Attr::kView) &&
        (node.op != Op::kSlice || module.node(node.operands[0]).Bool(Attr::kView))) {
      return Bad(module, id, "cannot be a view");
    }
    const bool has = node.Has(Attr::kPartition) && node.Has(Attr::kUnits) && node.Has(Attr::kGrain);
    if (!IsStep(node)) return has ? Bad(module, id, "is partitioned but no step") : OkStatus();
    if (!has) return Bad(module, id, "has no partition");
    const absl::StatusOr<StepPartition> expected = PartitionOf(module, node);
    if (!expected.ok()) return expected.status();
    if (*expected != StepPartition{node.String(Attr::kPartition), node.Int(Attr::kUnits),
                                   node.Int(Attr::kGrain), node.Int(Attr::kUnitRows, 1),
                                   node.Int(Attr::kSlices, 1)}) {
      return Bad(module, id,
                 absl::StrCat("should be split into ", expected->units, " ", expected->partition,
                              " of ", expected->unit_rows, " rows, ", expected->grain,
                              " at once, in ", expected->slices, " slices"));
    }
    return OkStatus();
  });
}

Status CheckPlanned(const Module& module, const PassOptions& options) {
  if (Status status = CheckScheduled(module, options); !status.ok()) return status;
  const absl::StatusOr<int64_t> context = ResolveContext(module, options);
  if (Status status =
          ForEach(module, [&](NodeId id) { return CheckPlace(module, id, options, context); });
      !status.ok()) {
    return status;
  }
  for (absl::string_view space : {"weights", "kv"}) {
    if (Status status = CheckSpace(module, space); !status.ok()) return status;
  }
  return CheckDisjoint(module);
}

}  // namespace weft::passes
