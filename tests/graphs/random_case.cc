// Options for random graphs, and graphs whose values are such as networks have.
#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "ir/evaluator.h"
#include "tests/graphs/graph_case.h"
#include "tests/graphs/graph_generator.h"
#include "tests/graphs/random.h"
#include "tests/graphs/random_weights.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::NodeId;
using ir::Op;

// F16 holds up to 65504, and F16 scales of Q8_0 blocks of up to 127 times that. Values beyond have
// no meaning in a network, and rounding to infinity is tested where it happens.
constexpr float kLargest = 3e4F;

bool Overflows(const GraphCase& graph_case) {
  const RandomWeights weights(graph_case.module, graph_case.weights_seed);
  bool overflows = false;
  const ir::EvaluateOptions options{.observer = [&](const ir::Node& node, const ir::Value& value) {
    if (node.op == Op::kWeight) return;
    for (const float x : value.floats) overflows = overflows || !(std::fabs(x) <= kLargest);
  }};
  WEFT_CHECK(ir::Evaluate(graph_case.module, weights, graph_case.tokens, options).ok());
  return overflows;
}

// Ids that every table looked up by tokens has, and that the executor takes: below the vocabulary.
int64_t UsableIds(const ir::Module& module) {
  int64_t ids = module.node(module.outputs[0]).type.last().value();
  for (const NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op != Op::kEmbed) continue;
    const ir::Node& input = module.node(node.operands[0]);
    if (input.op == Op::kInput && input.String(Attr::kName) == "tokens")
      ids = std::min(ids, module.node(node.operands[1]).type.dims[0].value());
  }
  return ids;
}

// Names of tensors that are matrices whatever the passes drop, so that an override of one matches:
// "*" and those of matmuls that outputs need. Tables of positions stay F32 and match nothing,
// wherever else their tensor is used.
std::vector<std::string> LiveMatrices(ir::Module module) {
  module.Compact();
  std::vector<std::string> names = {"*"};
  const auto tensor_of = [&](NodeId weight) { return module.node(weight).String(Attr::kTensor); };
  std::set<std::string> position_tables;
  for (const NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op == Op::kEmbed && module.node(node.operands[0]).op == Op::kInput &&
        module.node(node.operands[0]).String(Attr::kName) == "positions" &&
        module.node(node.operands[1]).op == Op::kWeight) {
      position_tables.insert(tensor_of(node.operands[1]));
    }
  }
  for (const NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op != Op::kMatmul) continue;
    for (const NodeId weight : module.OperandsOf(node).weights) {
      if (module.node(weight).op == Op::kWeight && !position_tables.contains(tensor_of(weight)))
        names.push_back(tensor_of(weight));
    }
  }
  return names;
}

passes::PassOptions RandomOptions(const Palette& palette, const ir::Module& module,
                                  Random* random) {
  passes::PassOptions options;
  options.context = palette.context;
  options.weights = random->Pick(palette.weights);
  options.q8_threshold = palette.q8_threshold;
  options.kv = random->Pick(palette.kv);
  if (!random->OneIn(4)) return options;
  const std::vector<std::string> names = LiveMatrices(module);
  do {
    options.formats.push_back(
        {random->Pick(names), random->OneIn(2) ? DataType::kF32 : DataType::kQ8_0});
  } while (random->OneIn(3));
  return options;
}

}  // namespace

GraphCase RandomCase(const Palette& palette, uint64_t seed, int variants, int64_t* rejected) {
  GraphCase result;
  Random random(seed);
  result.weights_seed = seed;
  for (uint64_t attempt = 0;; ++attempt) {
    result.module = RandomGraph(palette, seed + (attempt << 40));
    const int64_t most = std::min<int64_t>(palette.context, random.OneIn(4) ? 140 : 14);
    result.tokens.resize(static_cast<size_t>(random.Between(1, most)));
    const int64_t ids = UsableIds(result.module);
    for (int32_t& token : result.tokens) token = static_cast<int32_t>(random.Below(ids));
    if (!Overflows(result)) break;
    if (rejected != nullptr) ++*rejected;
  }
  result.options = RandomOptions(palette, result.module, &random);
  const auto prompt = static_cast<int64_t>(result.tokens.size());
  result.options.max_tokens = random.Pick<int64_t>({1, 2, 5, 8, 9, 24, 30, prompt, prompt, 200});
  result.options.max_logit_rows =
      random.OneIn(2) ? result.options.max_tokens : random.Between(1, result.options.max_tokens);
  for (int i = 0; i < variants; ++i) {
    Variant variant;
    const uint64_t turn = seed * static_cast<uint64_t>(variants) + static_cast<uint64_t>(i);
    variant.tier = palette.tiers[turn % palette.tiers.size()];
    // Not the same for the variants of a graph, so that their bits are compared across passes too.
    const uint64_t subset = turn / palette.tiers.size() + static_cast<uint64_t>(i);
    variant.disabled = SubsetOfPasses(palette.subsets[subset % palette.subsets.size()]);
    variant.threads = static_cast<int>(random.Pick({1, 1, 2, 3, 4, 8}));
    variant.chunk = random.Pick<int64_t>({1, 3, 8, 9, prompt, prompt});
    variant.poison = random.OneIn(8);
    variant.plan = random.OneIn(60);
    result.variants.push_back(std::move(variant));
  }
  return result;
}

}  // namespace weft::graphs
