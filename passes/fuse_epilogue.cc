#include "passes/fuse_epilogue.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "passes/layout.h"
#include "passes/remark.h"
#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// How far an epilogue has got; a later step may follow, an earlier one may not.
enum class Stage : uint8_t { kNone, kBias, kActivation, kResidual };

Stage StageOf(const Node& matmul) {
  const auto epilogue = matmul.Strings(Attr::kEpilogue);
  if (epilogue.empty()) return Stage::kNone;
  if (epilogue.back() == "bias") return Stage::kBias;
  return epilogue.back() == "residual" ? Stage::kResidual : Stage::kActivation;
}

struct Step {
  Stage stage = Stage::kNone;  // kNone: the user cannot join
  std::string name;
  NodeId operand = -1;
};

// What `user`, the only one of `matmul`, would be in its epilogue.
Step StepFor(const Module& module, const std::vector<size_t>& place, NodeId matmul,
             const Node& user) {
  if (user.op == Op::kActivate) return {Stage::kActivation, user.String(Attr::kFn), -1};
  if (user.op != Op::kAdd) return {};
  const bool is_first = user.operands[0] == matmul;
  const NodeId other = user.operands[is_first ? 1 : 0];
  if (module.node(other).type.rank() == 1) return {Stage::kBias, "bias", other};
  // Of a sum of two matmuls the later one takes the other as its residual.
  if (place[other] > place[matmul]) return {};
  return {Stage::kResidual, "residual", other};
}

// The user becomes the matmul, so that all operands still stand before it; the old matmul is dead.
void Absorb(Module* module, NodeId matmul, NodeId user, const Step& step) {
  Node& old = module->node(matmul);
  Node fused = old;
  const auto epilogue = old.Strings(Attr::kEpilogue);
  std::vector<std::string> steps(epilogue.begin(), epilogue.end());
  steps.push_back(step.name);
  fused.Set(Attr::kEpilogue, std::move(steps));
  if (step.operand >= 0) fused.operands.push_back(step.operand);
  module->node(user) = std::move(fused);
  old.operands.clear();
}

// The matmul of which `gated` takes one half of the columns as gate and the other as up; else -1.
NodeId GateAndUp(const Module& module, NodeId gated) {
  const Node& gate = module.node(module.node(gated).operands[0]);
  const Node& up = module.node(module.node(gated).operands[1]);
  const bool halves = gate.op == Op::kSlice && up.op == Op::kSlice &&
                      gate.operands == up.operands &&
                      gate.Int(Attr::kBegin) != up.Int(Attr::kBegin) &&
                      module.node(gate.operands[0]).op == Op::kMatmul;
  return halves ? gate.operands[0] : -1;
}

// Why the matmul cannot take `gated` in, or "": nothing else may use it, and its weights must be
// such as can be packed panel by panel in turn.
std::string GateRefusal(const Module& module, const Uses& uses,
                        const absl::flat_hash_map<std::string, int>& weight_uses, NodeId id,
                        NodeId gated) {
  for (NodeId slice : module.node(gated).operands) {
    if (uses.SoleUser(slice) != gated) return "gate or up is used elsewhere as well";
  }
  const Node& matmul = module.node(id);
  const int64_t width = module.node(gated).type.last().value();
  if (uses.Count(id) != 2) return "its result is used beside gate and up";
  if (matmul.operands.size() != 3 || matmul.Int(Attr::kWeights, 1) != 2 ||
      matmul.Has(Attr::kEpilogue)) {
    return "it is more than two weights by one input";
  }
  if (width % kPanelRows != 0)
    return absl::StrCat(width, " columns are no whole panels of ", kPanelRows);
  std::string format;
  for (const size_t place : {1, 2}) {
    const Node& half = module.node(matmul.operands[place]);
    if (!IsConstant(half) || half.type.dims[0] != ir::Dim(width))
      return "its weights are not the halves";
    for (NodeId source : SourceWeights(module, matmul.operands[place])) {
      const Node& weight = module.node(source);
      const std::string own = weight.Has(Attr::kFormat) ? weight.String(Attr::kFormat) : "";
      if (format.empty()) format = own;
      if (own != format) return absl::StrCat("gate and up differ in format: ", format, ", ", own);
      // A second user would need the weight in another layout, so a second copy.
      if (weight_uses.at(WeightKey(weight)) > 1) return "another step uses one of its weights too";
    }
  }
  // Two slices that start apart, of half the columns each: both are whole halves.
  for (NodeId slice : module.node(gated).operands) {
    if (module.node(slice).Int(Attr::kBegin) % width != 0) return "gate and up are not its halves";
  }
  return "";
}

// On the weights of a matmul or the table of an embedding.
void SayOf(const PassOptions& options, const Module& module, NodeId id, bool done,
           absl::string_view text) {
  if (module.node(id).op == Op::kMatmul) {
    SayOfMatmul(options, module, id, done, text);
  } else {
    Say(options, module, module.node(id).operands[1], done, text);
  }
}

// The gated_activate becomes the matmul, which is then dead.
void AbsorbGate(Module* module, NodeId matmul, NodeId gated) {
  Node& old = module->node(matmul);
  const Node& user = module->node(gated);
  Node fused = old;
  fused.type = user.type;
  fused.Set(Attr::kEpilogue,
            std::vector<std::string>{absl::StrCat("gated_", user.String(Attr::kFn))});
  if (module->node(user.operands[0]).Int(Attr::kBegin) != 0)
    std::swap(fused.operands[1], fused.operands[2]);
  module->node(gated) = std::move(fused);
  old.operands.clear();
}

// Makes `change` to `taken`, which dies, and `user`, which takes it in.
void TakeIn(NodeId taken, NodeId user, Module* module, Uses* uses,
            absl::FunctionRef<void()> change) {
  for (const NodeId id : {taken, user}) uses->Forget(*module, id);
  change();
  for (const NodeId id : {taken, user}) uses->Note(*module, id);
}

// Returns the node that took in the user of `id`, and in `what` as what; or -1, and in `what` why
// none did.
NodeId FuseOne(Module* module, const std::vector<size_t>& place, NodeId id, Uses* uses,
               std::string* what) {
  const NodeId user_id = uses->SoleUser(id);
  if (user_id < 0) {
    *what = uses->Count(id) == 1 ? "its result is an output of the model"
                                 : absl::StrCat("its result is used ", uses->Count(id), " times");
    return -1;
  }
  Node& node = module->node(id);
  Node& user = module->node(user_id);
  if (node.op == Op::kEmbed && user.op == Op::kScale && !node.Has(Attr::kScale)) {
    TakeIn(id, user_id, module, uses, [&] {
      const double value = user.Float(Attr::kValue);
      user = node;
      user.Set(Attr::kScale, value);
      node.operands.clear();
    });
    *what = "scale";
    return user_id;
  }
  *what = absl::StrCat(ir::Name(user.op), ", which uses its result, is no step of an epilogue");
  if (node.op != Op::kMatmul) return -1;
  const Step step = StepFor(*module, place, id, user);
  if (step.stage == Stage::kNone) {
    if (user.op == Op::kAdd) *what = "what is added to its result is computed later";
    return -1;
  }
  if (step.stage <= StageOf(node)) {
    *what = absl::StrCat(step.name, " cannot follow ", node.Strings(Attr::kEpilogue).back());
    return -1;
  }
  *what = step.name;
  TakeIn(id, user_id, module, uses, [&] { Absorb(module, id, user_id, step); });
  return user_id;
}

}  // namespace

absl::Status FuseEpilogue(Module* module, const PassOptions& options, bool* changed) {
  const std::vector<NodeId> order = module->order();
  std::vector<size_t> place(module->id_bound(), 0);
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  Uses uses(*module);
  const auto weight_uses = CountWeightUses(*module);
  for (NodeId id : order) {
    if (module->node(id).op != Op::kGatedActivate) continue;
    const NodeId matmul = GateAndUp(*module, id);
    if (matmul < 0) continue;
    const std::string name = absl::StrCat("gated_", module->node(id).String(Attr::kFn));
    if (const std::string why = GateRefusal(*module, uses, weight_uses, matmul, id); !why.empty()) {
      SayOfMatmul(options, *module, matmul, /*done=*/false,
                  absl::StrCat(name, " stays a step: ", why));
      continue;
    }
    SayOfMatmul(options, *module, matmul, /*done=*/true, absl::StrCat("takes in ", name));
    TakeIn(matmul, id, module, &uses, [&] { AbsorbGate(module, matmul, id); });
    *changed = true;
  }
  std::vector<bool> done(module->id_bound(), false);
  for (NodeId id : order) {
    // Dead ones have lost their operands.
    if (done[id] || module->node(id).operands.empty()) continue;
    if (module->node(id).op != Op::kMatmul && module->node(id).op != Op::kEmbed) continue;
    std::string what;
    NodeId last = id;
    for (NodeId next = id; (next = FuseOne(module, place, last, &uses, &what)) >= 0; last = next) {
      *changed = true;
      SayOf(options, *module, next, /*done=*/true, absl::StrCat("takes in ", what));
    }
    done[last] = true;
    SayOf(options, *module, last, /*done=*/false, absl::StrCat("takes in nothing more: ", what));
  }
  if (*changed) module->Compact();
  return absl::OkStatus();
}

}  // namespace weft::passes
