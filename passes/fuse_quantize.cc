#include "passes/fuse_quantize.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passes/remark.h"
#include "passes/rewrite.h"
#include "runtime/abi/q8_0.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

bool MakesWholeBlocks(const Module& module, const Node& matmul) {
  const int64_t rows = kQ8BlockValues * (ir::GatedFn(matmul).empty() ? 1 : 2);
  return std::ranges::all_of(module.OperandsOf(matmul).weights, [&](NodeId weight) {
    return module.node(weight).type.dims[0].value() % rows == 0;
  });
}

}  // namespace

absl::Status FuseQuantize(Module* module, const PassOptions& options, bool* changed) {
  const Uses uses(*module);
  for (NodeId id : module->order()) {
    if (module->node(id).op != Op::kQuantize) continue;
    Node& matmul = module->node(module->node(id).operands[0]);
    if (matmul.op != Op::kMatmul) continue;
    const NodeId matmul_id = module->node(id).operands[0];
    const bool alone = uses.SoleUser(matmul_id) == id;
    if (!alone || !MakesWholeBlocks(*module, matmul)) {
      SayOfMatmul(options, *module, matmul_id, /*done=*/false,
                  absl::StrCat("quantising its result stays a step: ",
                               alone ? "its weights make no whole blocks of 32 outputs"
                                     : "the result is used in f32 as well"));
      continue;
    }
    SayOfMatmul(options, *module, matmul_id, /*done=*/true, "quantises its result for the next");
    // The quantize becomes the matmul, which is then dead.
    Node fused = matmul;
    const auto epilogue = matmul.Strings(Attr::kEpilogue);
    std::vector<std::string> steps(epilogue.begin(), epilogue.end());
    steps.emplace_back("quantize");
    fused.Set(Attr::kEpilogue, std::move(steps));
    fused.type = module->node(id).type;
    matmul.operands.clear();
    module->node(id) = std::move(fused);
    *changed = true;
  }
  if (*changed) module->Compact();
  return absl::OkStatus();
}

}  // namespace weft::passes
