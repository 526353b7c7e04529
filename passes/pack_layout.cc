#include "passes/pack_layout.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "ir/builder.h"
#include "passes/layout.h"
#include "passes/remark.h"
#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Layout;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

class Packer {
 public:
  Packer(Module* module, const PassOptions& options)
      : module_(*module), options_(options), builder_(module), uses_(CountWeightUses(*module)) {}

  absl::Status Run(bool* changed) {
    const std::vector<NodeId> order = module_.order();
    for (NodeId id : order) {
      const Op op = module_.node(id).op;
      if (op == Op::kPack || op == Op::kConcat) continue;
      if (op == Op::kMatmul) PackMatmul(id, changed);
      if (op == Op::kEmbed) PackTable(id, changed);
      PackVectors(id, changed);
    }
    if (builder_.status().ok() && *changed) SortAndCompact(&module_);
    return builder_.status();
  }

 private:
  bool IsConstantAt(NodeId user, size_t operand) const {
    return IsConstant(module_.node(module_.node(user).operands[operand]));
  }

  std::string FormatOf(NodeId weight_id) {
    const Node& weight = module_.node(weight_id);
    if (weight.Has(Attr::kFormat)) return weight.String(Attr::kFormat);
    builder_.Fail(absl::FailedPreconditionError(
        absl::StrCat("'", weight.String(Attr::kTensor),
                     "' has no format; select-weight-format comes before pack-layout")));
    return "f32";
  }

  // One pack for each list of weights, however many steps use it.
  NodeId Pack(const std::vector<NodeId>& weights, const std::string& format, Layout layout) {
    std::string key = absl::StrCat(format, " ", ir::Name(layout));
    std::vector<std::string> locations;
    for (NodeId weight : weights) {
      absl::StrAppend(&key, "\n", WeightKey(module_.node(weight)));
      locations.push_back(module_.node(weight).location);
    }
    if (auto found = packs_.find(key); found != packs_.end()) return found->second;
    const NodeId pack =
        builder_.Add(Op::kPack, weights,
                     {{Attr::kFormat, format}, {Attr::kLayout, std::string(ir::Name(layout))}},
                     JoinLocations(locations));
    packs_.emplace(std::move(key), pack);
    return pack;
  }

  NodeId Quantized(NodeId x) {
    auto [entry, is_new] = quantized_.try_emplace(x, -1);
    if (is_new) entry->second = builder_.Add(Op::kQuantize, {x}, {}, module_.node(x).location);
    return entry->second;
  }

  void PackMatmul(NodeId id, bool* changed) {
    const ir::MatmulOperands old = module_.OperandsOf(module_.node(id));
    std::vector<NodeId> weights;
    for (NodeId weight : old.weights) {
      if (!IsConstant(module_.node(weight))) return;  // packed already
      for (NodeId source : SourceWeights(module_, weight)) weights.push_back(source);
    }
    const bool gated = !ir::GatedFn(module_.node(id)).empty();
    std::vector<NodeId> packs;
    bool any_f32 = false;
    bool any_q8 = false;
    for (size_t begin = 0, end = 0; begin < weights.size(); begin = end) {
      const std::string format = FormatOf(weights[begin]);
      end = begin + 1;
      while (end < weights.size() && FormatOf(weights[end]) == format &&
             (gated || (!IsShared(weights[begin]) && !IsShared(weights[end])))) {
        ++end;
      }
      if (gated && end < weights.size()) {
        builder_.Fail(absl::InvalidArgumentError(
            absl::StrCat("gate and up of '", module_.node(id).location, "' differ in format")));
        return;
      }
      packs.push_back(Pack({weights.begin() + static_cast<std::ptrdiff_t>(begin),
                            weights.begin() + static_cast<std::ptrdiff_t>(end)},
                           format, gated ? Layout::kPanels16x2 : Layout::kPanels16));
      SayPacked(weights, begin, end, packs.back());
      (format == "q8_0" ? any_q8 : any_f32) = true;
    }
    std::vector<NodeId> operands;
    if (any_f32) operands.push_back(old.f32_input);
    if (any_q8) operands.push_back(Quantized(old.f32_input));
    operands.insert(operands.end(), packs.begin(), packs.end());
    if (old.bias >= 0) operands.push_back(old.bias);
    if (old.residual >= 0) operands.push_back(old.residual);
    Node& matmul = module_.node(id);
    matmul.operands = std::move(operands);
    SetCount(Attr::kWeights, packs.size(), &matmul);
    SetCount(Attr::kInputs, any_f32 && any_q8 ? 2 : 1, &matmul);
    *changed = true;
  }

  // Weights [begin, end) of a matmul are one pack.
  void SayPacked(const std::vector<NodeId>& weights, size_t begin, size_t end, NodeId pack) {
    if (end - begin > 1) {
      Say(options_, module_, pack, /*done=*/true,
          absl::StrCat("stacked with others of its matmul: ", module_.node(pack).location));
    }
    for (const size_t border : {begin, end}) {
      if (border == 0 || border == weights.size()) continue;
      const bool same_format = FormatOf(weights[border - 1]) == FormatOf(weights[border]);
      const NodeId other = weights[border == begin ? begin - 1 : end];
      Say(options_, module_, pack, /*done=*/false,
          absl::StrCat("not stacked with ", module_.node(other).location, ": ",
                       same_format ? "another step uses one of them too"
                                   : absl::StrCat("that is ", FormatOf(other))));
    }
  }

  // 1 is what these attributes are by default.
  static void SetCount(Attr attr, size_t count, Node* node) {
    node->Remove(attr);
    if (count > 1) node->Set(attr, static_cast<int64_t>(count));
  }

  bool IsShared(NodeId weight) const { return uses_.at(WeightKey(module_.node(weight))) > 1; }

  void PackTable(NodeId id, bool* changed) {
    if (!IsConstantAt(id, 1)) return;
    const bool positions = IsPositionTable(module_, module_.node(id));
    const std::vector<NodeId> weights = SourceWeights(module_, module_.node(id).operands[1]);
    const std::string format = FormatOf(weights[0]);
    for (NodeId weight : weights) {
      if (FormatOf(weight) != format) {
        builder_.Fail(absl::InvalidArgumentError(absl::StrCat(
            "the parts of the table of '", module_.node(id).location, "' differ in format")));
      }
    }
    const NodeId pack =
        positions ? Pack(weights, "f32", Layout::kRows) : Pack(weights, format, Layout::kPanels16);
    module_.node(id).operands[1] = pack;
    *changed = true;
  }

  void PackVectors(NodeId id, bool* changed) {
    for (size_t i = 0; i < module_.node(id).operands.size(); ++i) {
      const NodeId operand = module_.node(id).operands[i];
      if (!IsConstantAt(id, i) || module_.node(operand).type.rank() != 1) continue;
      const NodeId pack = Pack(SourceWeights(module_, operand), "f32", Layout::kRows);
      module_.node(id).operands[i] = pack;
      *changed = true;
    }
  }

  Module& module_;
  const PassOptions& options_;
  ir::Builder builder_;
  absl::flat_hash_map<std::string, int> uses_;  // by weight key
  absl::flat_hash_map<std::string, NodeId> packs_;
  absl::flat_hash_map<NodeId, NodeId> quantized_;
};

}  // namespace

absl::Status PackLayout(Module* module, const PassOptions& options, bool* changed) {
  return Packer(module, options).Run(changed);
}

}  // namespace weft::passes
