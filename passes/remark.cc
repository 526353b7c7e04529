#include "passes/remark.h"

#include "passes/options.h"
#include "passes/rewrite.h"

namespace weft::passes {

using ir::Attr;
using ir::Module;
using ir::NodeId;
using ir::Op;

void Say(const PassOptions& options, const Module& module, NodeId constant, bool done,
         absl::string_view text) {
  if (!options.remark) return;
  std::vector<NodeId> weights = SourceWeights(module, constant);
  if (module.node(constant).op == Op::kPack) weights = module.node(constant).operands;
  for (const NodeId id : weights) {
    const ir::Node& weight = module.node(id);
    const auto rows = weight.Ints(Attr::kRows);
    options.remark({.done = done,
                    .tensor = weight.String(Attr::kTensor),
                    .rows = {rows.begin(), rows.end()},
                    .text = std::string(text)});
  }
}

void SayOfMatmul(const PassOptions& options, const Module& module, NodeId matmul, bool done,
                 absl::string_view text) {
  if (!options.remark) return;
  for (const NodeId weight : module.OperandsOf(module.node(matmul)).weights)
    Say(options, module, weight, done, text);
}

}  // namespace weft::passes
