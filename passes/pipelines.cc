#include "passes/pipelines.h"

#include "passes/canonicalise.h"
#include "passes/cut_weights.h"
#include "passes/fuse_epilogue.h"
#include "passes/fuse_gate_up.h"
#include "passes/fuse_qkv.h"
#include "passes/fuse_quantize.h"
#include "passes/legality.h"
#include "passes/pack_layout.h"
#include "passes/pass_manager.h"
#include "passes/plan_memory.h"
#include "passes/schedule.h"
#include "passes/select_kv_format.h"
#include "passes/select_weight_format.h"

namespace weft::passes {
namespace {

constexpr Pass kPipeline[] = {
    // Before all that is optional, so that the projections, and the formats that they get, do not
    // depend on it.
    {.name = "cut-weights",
     .doc = "Cuts a weight that holds q, k and v, or gate and up, into one for each.",
     .run = CutWeights},
    // One form for all that follows: equal values have equal ids, nothing dead is counted.
    {.name = "canonicalise",
     .doc = "Folds scales by 1 and slices, merges equal nodes, drops dead ones.",
     .optional = true,
     .run = Canonicalise},
    // Fusions of matmuls: fewer steps to meet at, and the input is quantised and read once.
    {.name = "fuse-qkv",
     .doc = "Makes the projections of q, k and v of an attention one matmul.",
     .optional = true,
     .run = FuseQkv},
    {.name = "fuse-gate-up",
     .doc = "Makes gate and up one matmul, their activation and product one step.",
     .optional = true,
     .run = FuseGateUp},
    // Before packing, which merges what has one format; nothing later touches weights one by one.
    {.name = "select-weight-format",
     .doc = "Decides for every weight whether it is held as f32 or q8_0, and says why.",
     .run = SelectWeightFormat},
    // After the weights' formats, which it follows.
    {.name = "select-kv-format",
     .doc = "Decides whether the KV cache holds f32, f16 or q8_0, and says why.",
     .run = SelectKvFormat},
    // After fuse-gate-up, from which it would take the activation; before packing, which packs the
    // biases it moves.
    {.name = "fuse-epilogue",
     .doc =
         "Moves bias, activation, gate and residual into their matmul, and scales into embeddings.",
     .optional = true,
     .run = FuseEpilogue},
    // From here on the module is lowered: each pass needs what the one before it adds.
    {.name = "pack-layout",
     .doc = "Lays weights out for the kernels and quantises what goes into q8_0 matmuls.",
     .run = PackLayout,
     .check = CheckPacked},
    // Only now are there such steps; a matmul's units are then whole blocks.
    {.name = "fuse-quantize",
     .doc = "Has matmuls quantise their results where nothing else uses them.",
     .optional = true,
     .run = FuseQuantize,
     .check = CheckPacked},
    {.name = "schedule",
     .doc = "Splits every step into units of work and makes slices views.",
     .run = Schedule,
     .check = CheckScheduled},
    {.name = "plan-memory",
     .doc = "Gives every value its place, reusing the memory of dead ones.",
     .run = PlanMemory,
     .check = CheckPlanned},
};

}  // namespace

absl::Span<const Pass> DefaultPipeline() { return kPipeline; }

std::vector<std::string> StageNames() {
  std::vector<std::string> names = {std::string(kImportStage)};
  for (const Pass& pass : kPipeline) names.emplace_back(pass.name);
  return names;
}

const Pass* FindPass(absl::string_view name) {
  for (const Pass& pass : kPipeline) {
    if (pass.name == name) return &pass;
  }
  return nullptr;
}

}  // namespace weft::passes
