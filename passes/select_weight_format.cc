#include "passes/select_weight_format.h"

#include <fnmatch.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "passes/layout.h"
#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// What a weight is used as; of two uses the later one here counts.
enum class Role : uint8_t { kUnused, kMatrix, kPositionTable, kVector };

struct Use {
  Role role = Role::kUnused;
  std::vector<NodeId> nodes;  // that stand for the weight
  std::vector<NodeId> users;  // matmuls and embeds
};

// By WeightKey: of one weight there may be several nodes, which canonicalise makes one, and with it
// or without it the weight has one format.
using WeightUses = absl::flat_hash_map<std::string, Use>;

Role RoleOf(const Module& module, const Node& user, size_t operand) {
  if (module.node(user.operands[operand]).type.rank() == 1) return Role::kVector;
  if (user.op != Op::kEmbed) return Role::kMatrix;
  return IsPositionTable(module, user) ? Role::kPositionTable : Role::kMatrix;
}

WeightUses CollectUses(const Module& module) {
  WeightUses uses;
  for (NodeId id : module.order()) {
    const Node& user = module.node(id);
    if (user.op == Op::kWeight) uses[WeightKey(user)].nodes.push_back(id);
    if (IsConstant(user)) continue;
    for (size_t i = 0; i < user.operands.size(); ++i) {
      if (!IsConstant(module.node(user.operands[i]))) continue;
      for (NodeId weight : SourceWeights(module, user.operands[i])) {
        Use& use = uses[WeightKey(module.node(weight))];
        use.role = std::max(use.role, RoleOf(module, user, i));
        use.users.push_back(id);
      }
    }
  }
  return uses;
}

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16 ||
         type == DataType::kF64;
}

bool Matches(const FormatOverride& entry, const std::string& name) {
  return fnmatch(entry.pattern.c_str(), name.c_str(), 0) == 0;
}

bool Matches(const FormatOverride& entry, const Module& module, const Node& weight,
             const Use& use) {
  const auto located = [&](NodeId id) { return Matches(entry, module.node(id).location); };
  return Matches(entry, weight.String(Attr::kTensor)) || std::ranges::any_of(use.nodes, located) ||
         std::ranges::any_of(use.users, located);
}

struct Choice {
  DataType format = DataType::kF32;
  std::string why;
};

Choice Choose(const Node& weight, const PassOptions& options) {
  if (options.weights != WeightsMode::kAuto) {
    return {options.weights == WeightsMode::kF32 ? DataType::kF32 : DataType::kQ8_0,
            absl::StrCat("--weights ", Name(options.weights))};
  }
  if (IsBlockType(weight.type.dtype))
    return {DataType::kQ8_0, absl::StrCat("arrives as ", weft::Name(weight.type.dtype))};
  const int64_t out = weight.type.dims[0].value();
  const int64_t in = weight.type.dims[1].value();
  const bool large = std::max(in, out) >= options.q8_threshold;
  return {large ? DataType::kQ8_0 : DataType::kF32,
          absl::StrCat("max(", in, ", ", out, ") ", large ? ">= " : "< ", options.q8_threshold)};
}

}  // namespace

absl::Status SelectWeightFormat(Module* module, const PassOptions& options, bool* changed) {
  // What is not computed must not count as a use.
  if (!IsCompact(*module)) {
    module->Compact();
    *changed = true;
  }
  const WeightUses uses = CollectUses(*module);
  std::vector<bool> matched(options.formats.size(), false);
  for (NodeId id : module->order()) {
    Node& weight = module->node(id);
    if (weight.op != Op::kWeight) continue;
    const Use& use = uses.at(WeightKey(weight));
    if (use.role == Role::kUnused) continue;
    if (!IsFloat(weight.type.dtype) && !IsBlockType(weight.type.dtype)) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", weight.String(Attr::kTensor),
                                                     "' is of type ", weft::Name(weight.type.dtype),
                                                     ", which no weight can be"));
    }
    Choice choice;
    if (use.role == Role::kVector) {
      choice.why = "vector";
    } else if (use.role == Role::kPositionTable) {
      choice.why = "position table";
    } else {
      choice = Choose(weight, options);
      for (size_t i = 0; i < options.formats.size(); ++i) {
        const FormatOverride& entry = options.formats[i];
        if (!Matches(entry, *module, weight, use)) continue;
        matched[i] = true;
        choice = {entry.format, absl::StrCat("--weight-format ", entry.pattern)};
      }
    }
    const std::string format(weft::Name(choice.format));
    if (weight.Has(Attr::kFormat) && weight.String(Attr::kFormat) == format &&
        weight.Has(Attr::kWhy) && weight.String(Attr::kWhy) == choice.why) {
      continue;
    }
    weight.Set(Attr::kFormat, format);
    weight.Set(Attr::kWhy, choice.why);
    *changed = true;
  }
  for (size_t i = 0; i < matched.size(); ++i) {
    if (matched[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--weight-format '", options.formats[i].pattern,
        "' matches no matrix; it is compared with tensor names and locations (see `weft dump`)"));
  }
  return absl::OkStatus();
}

std::vector<FormatDecision> CollectDecisions(const Module& module) {
  std::vector<FormatDecision> decisions;
  for (NodeId id : module.order()) {
    const Node& weight = module.node(id);
    if (weight.op != Op::kWeight || !weight.Has(Attr::kFormat)) continue;
    ir::Type packed = weight.type;
    packed.dtype = *ParseDataType(weight.String(Attr::kFormat));
    if (packed.rank() == 2 && packed.dtype == DataType::kQ8_0)
      packed.layout = ir::Layout::kPanels16;
    decisions.push_back({.tensor = weight.String(Attr::kTensor),
                         .location = weight.location,
                         .rows = weight.type.dims[0].value(),
                         .columns = weight.type.rank() == 2 ? weight.type.dims[1].value() : 1,
                         .source = weight.type.dtype,
                         .format = packed.dtype,
                         .bytes = PackedBytes(packed).value_or(0),
                         .why = weight.Has(Attr::kWhy) ? weight.String(Attr::kWhy) : ""});
  }
  return decisions;
}

}  // namespace weft::passes
