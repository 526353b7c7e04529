#include "passes/plan_memory.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "passes/layout.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Places in the program order, both ends included.
struct LiveRange {
  size_t begin = 0;
  size_t end = 0;
  bool Meets(const LiveRange& other) const { return begin <= other.end && other.begin <= end; }
};

// By place in the order: the last step of the row-wise steps that follow each other there. Nodes
// that are no steps do not interrupt them; a change of rows does.
std::vector<size_t> ChainEnds(const Module& module) {
  const auto& order = module.order();
  std::vector<size_t> ends(order.size());
  const Node* next = nullptr;  // the step after this place, where it is row-wise
  size_t end = 0;
  for (size_t place = order.size(); place-- > 0;) {
    const Node& node = module.node(order[place]);
    ends[place] = place;
    if (!IsStep(node)) continue;
    const bool row_wise = ir::IsRowWise(node.op) && node.op != Op::kMatmul;
    const auto rows = [](const Node& step) {
      return step.type.dims[0] == ir::Dim(ir::Symbol::kLogitRows);
    };
    if (!row_wise || next == nullptr || rows(*next) != rows(node)) end = place;
    next = row_wise ? &node : nullptr;
    ends[place] = end;
  }
  return ends;
}

// Values of the arena by id; a view counts as a use of what it shows. What one of several row-wise
// steps uses last lives on to the last of them: they run row by row, so that a value of other rows
// in the same place would be written too early.
std::vector<LiveRange> LiveRanges(const Module& module) {
  const auto& order = module.order();
  const std::vector<size_t> chain_ends = ChainEnds(module);
  std::vector<LiveRange> ranges(module.id_bound());
  std::vector<NodeId> storage(module.id_bound());
  for (size_t place = 0; place < order.size(); ++place) {
    const NodeId id = order[place];
    const Node& node = module.node(id);
    storage[id] = node.Bool(Attr::kView) ? storage[node.operands[0]] : id;
    ranges[id] = {node.op == Op::kInput ? 0 : place, place};
    for (NodeId operand : node.operands) ranges[storage[operand]].end = chain_ends[place];
  }
  for (NodeId id : module.outputs) ranges[storage[id]].end = order.size();
  return ranges;
}

bool InArena(const Node& node) {
  return node.op == Op::kInput || (IsStep(node) && node.op != Op::kKvAppend);
}

void SetPlace(Node* node, absl::string_view space, int64_t address, int64_t bytes) {
  node->Set(Attr::kSpace, std::string(space));
  node->Set(Attr::kAddress, address);
  node->Set(Attr::kBytes, bytes);
}

absl::Status SetSize(Node* node, const PassOptions& options,
                     const absl::StatusOr<int64_t>& context) {
  const int64_t rows = MaxRows(node->type, options);
  absl::StatusOr<int64_t> bytes = Product({rows, 4});  // i32
  if (node->type.rank() == 2) {
    const absl::StatusOr<int64_t> stride = RowStride(node->type);
    if (!stride.ok()) return stride.status();
    node->Set(Attr::kStride, *stride);
    bytes = Product({rows, *stride});
  }
  if (!bytes.ok()) return bytes.status();
  int64_t size = RoundUp(*bytes, kAlignment);
  if (node->Has(Attr::kSlices)) {
    if (!context.ok()) return context.status();
    const absl::StatusOr<int64_t> workspace = WorkspaceBytes(*node, *context);
    if (!workspace.ok()) return workspace.status();
    node->Set(Attr::kWorkspace, *workspace);
    size += *workspace;
  }
  node->Set(Attr::kBytes, size);
  return absl::OkStatus();
}

absl::Status PlanArena(Module* module, const PassOptions& options) {
  const absl::StatusOr<int64_t> context = ResolveContext(*module, options);
  std::vector<NodeId> values;
  for (NodeId id : module->order()) {
    if (!InArena(module->node(id))) continue;
    if (absl::Status status = SetSize(&module->node(id), options, context); !status.ok())
      return status;
    values.push_back(id);
  }
  const std::vector<LiveRange> ranges = LiveRanges(*module);
  std::vector<size_t> places(module->id_bound());
  for (size_t place = 0; place < values.size(); ++place) places[values[place]] = place;
  std::ranges::sort(values, {}, [&](NodeId id) {
    return std::pair(-module->node(id).Int(Attr::kBytes), places[id]);
  });
  struct Placed {
    int64_t begin;
    int64_t end;
    LiveRange range;
  };
  std::vector<Placed> placed;  // by address
  for (NodeId id : values) {
    const int64_t bytes = module->node(id).Int(Attr::kBytes);
    int64_t address = 0;
    for (const Placed& other : placed) {
      if (!other.range.Meets(ranges[id])) continue;
      if (other.begin >= address + bytes) break;
      address = std::max(address, other.end);
    }
    if (address > kMaxBytes) return absl::ResourceExhaustedError("the arena exceeds any memory");
    SetPlace(&module->node(id), "arena", address, bytes);
    const auto at = std::ranges::upper_bound(placed, address, {}, &Placed::begin);
    placed.insert(at, {address, address + bytes, ranges[id]});
  }
  return absl::OkStatus();
}

absl::Status PlanWeights(Module* module) {
  int64_t address = 0;
  for (NodeId id : module->order()) {
    Node& node = module->node(id);
    if (node.op != Op::kPack && node.op != Op::kRopeTable) continue;
    const absl::StatusOr<int64_t> bytes = PackedBytes(node.type);
    if (!bytes.ok()) return bytes.status();
    SetPlace(&node, "weights", address, *bytes);
    address += RoundUp(*bytes, kAlignment);
    if (address > kMaxBytes) return absl::ResourceExhaustedError("the weights exceed any memory");
  }
  return absl::OkStatus();
}

absl::Status PlanCache(Module* module, const PassOptions& options) {
  std::vector<NodeId> caches;
  for (NodeId id : module->order()) {
    if (module->node(id).op == Op::kKvAppend) caches.push_back(id);
  }
  if (caches.empty()) return absl::OkStatus();
  const absl::StatusOr<int64_t> context = ResolveContext(*module, options);
  if (!context.ok()) return context.status();
  const auto layer = [&](NodeId id) { return module->node(id).Int(Attr::kLayer); };
  std::ranges::sort(caches, {}, layer);
  int64_t address = 0;
  for (size_t i = 0; i < caches.size(); ++i) {
    if (i > 0 && layer(caches[i]) == layer(caches[i - 1])) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", layer(caches[i]), " appends to its cache twice"));
    }
    Node& node = module->node(caches[i]);
    const absl::StatusOr<int64_t> bytes = KvBytes(node.type, *context);
    if (!bytes.ok()) return bytes.status();
    SetPlace(&node, "kv", address, *bytes);
    address += *bytes;
    if (address > kMaxBytes) return absl::ResourceExhaustedError("the cache exceeds any memory");
  }
  return absl::OkStatus();
}

void PlaceViews(Module* module, const PassOptions& options) {
  for (NodeId id : module->order()) {
    Node& view = module->node(id);
    if (!view.Bool(Attr::kView)) continue;
    const Node& shown = module->node(view.operands[0]);
    const int64_t stride = shown.Int(Attr::kStride);
    const int64_t last_row = (MaxRows(view.type, options) - 1) * stride;
    view.Set(Attr::kStride, stride);
    SetPlace(&view, shown.String(Attr::kSpace),
             shown.Int(Attr::kAddress) + 4 * view.Int(Attr::kBegin),
             last_row + 4 * view.type.last().value());
  }
}

}  // namespace

absl::Status PlanMemory(Module* module, const PassOptions& options, bool* changed) {
  for (const absl::Status& status :
       {PlanArena(module, options), PlanWeights(module), PlanCache(module, options)}) {
    if (!status.ok()) return status;
  }
  PlaceViews(module, options);
  *changed = true;
  return absl::OkStatus();
}

MemoryPlan Summary(const Module& module) {
  MemoryPlan plan;
  const std::vector<LiveRange> ranges = LiveRanges(module);
  std::vector<int64_t> growth(module.order().size() + 2, 0);  // live bytes at a place less before
  for (NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (!node.Has(Attr::kSpace) || node.Bool(Attr::kView)) continue;
    const std::string& space = node.String(Attr::kSpace);
    const int64_t bytes = node.Int(Attr::kBytes);
    const int64_t end = node.Int(Attr::kAddress) + RoundUp(bytes, kAlignment);
    int64_t& total = space == "arena"     ? plan.arena_bytes
                     : space == "weights" ? plan.weight_bytes
                                          : plan.kv_bytes;
    total = std::max(total, end);
    if (space != "arena") continue;
    plan.bytes_without_reuse += bytes;
    growth[ranges[id].begin] += bytes;
    growth[ranges[id].end + 1] -= bytes;
  }
  int64_t live = 0;
  for (int64_t change : growth)
    plan.peak_live_bytes = std::max(plan.peak_live_bytes, live += change);
  return plan;
}

}  // namespace weft::passes
