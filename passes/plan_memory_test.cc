#include "passes/plan_memory.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "passes/layout.h"
#include "passes/test_models.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::NodeId;
using ir::Op;

// Runs the plan on lines of 64 bytes that remember who wrote them: whoever reads must find what it
// wants to read.
void ExpectNobodyOverwritten(const ir::Module& module) {
  std::vector<NodeId> lines(static_cast<size_t>(Summary(module).arena_bytes / kAlignment), -1);
  const auto owner = [&](NodeId id) {
    return module.node(id).Bool(Attr::kView) ? module.node(id).operands[0] : id;
  };
  const auto for_lines = [&](NodeId id, auto visit) {
    const int64_t first = module.node(id).Int(Attr::kAddress) / kAlignment;
    const int64_t end = first + module.node(id).Int(Attr::kBytes) / kAlignment;
    for (int64_t line = first; line < end; ++line) visit(lines.at(static_cast<size_t>(line)));
  };
  const auto in_arena = [&](NodeId id) {
    return module.node(id).Has(Attr::kSpace) && module.node(id).String(Attr::kSpace) == "arena";
  };
  const auto expect_intact = [&](NodeId id, NodeId reader) {
    if (!in_arena(id)) return;
    id = owner(id);
    for_lines(id, [&](NodeId found) { ASSERT_EQ(found, id) << "read by " << reader; });
  };
  for (NodeId id : module.order()) {
    if (module.node(id).op == Op::kInput) for_lines(id, [id](NodeId& line) { line = id; });
  }
  for (NodeId id : module.order()) {
    if (!IsStep(module.node(id))) continue;
    for (NodeId operand : module.node(id).operands) expect_intact(operand, id);
    if (in_arena(id)) for_lines(id, [id](NodeId& line) { line = id; });
    // Operands must outlive the step, whose units finish in any order.
    for (NodeId operand : module.node(id).operands) expect_intact(operand, id);
  }
  for (NodeId id : module.outputs) expect_intact(id, -1);
}

// Any operands, far and near, several outputs, values that nobody needs, views of views.
std::string RandomGraph(uint32_t seed) {
  std::mt19937 random(seed);
  ir::Module module;
  module.name = "random";
  ir::Builder builder(&module);
  const NodeId tokens =
      builder.Add(Op::kInput, {}, {{Attr::kName, std::string("tokens")}}, "tokens");
  std::vector<NodeId> values;
  const auto any = [&]() {
    // Mostly one of the latest.
    const size_t back = random() % 4 == 0 ? random() % values.size() : random() % 3;
    return values[values.size() - 1 - std::min(back, values.size() - 1)];
  };
  const auto width = [&](NodeId id) { return builder.type(id).last().value(); };
  const auto matrix = [&](int64_t rows, int64_t columns) {
    const std::string name = absl::StrCat("w", rows, "x", columns);
    if (module.FindTensor(name) == nullptr)
      module.AddTensor({.name = name, .dims = {rows, columns}});
    return builder.Add(Op::kWeight, {}, {{Attr::kTensor, name}}, name);
  };
  values.push_back(builder.Add(Op::kEmbed, {tokens, matrix(10, 48)}, {}, "embed"));
  for (int i = 0; i < 60; ++i) {
    const NodeId x = any();
    NodeId y = -1;
    switch (random() % 6) {
      case 0:
      case 1: {
        const auto rows = static_cast<int64_t>(8 + random() % 90);
        y = builder.Add(Op::kMatmul, {x, matrix(rows, width(x))}, {}, "matmul");
        break;
      }
      case 2: {
        const NodeId other = any();
        y = width(other) == width(x) ? builder.Add(Op::kAdd, {x, other}, {}, "add") : x;
        break;
      }
      case 3:
        if (width(x) < 8) continue;
        y = builder.Add(Op::kSlice, {x}, {{Attr::kBegin, int64_t{2}}, {Attr::kEnd, width(x) - 2}},
                        "slice");
        break;
      case 4:
        y = builder.Add(Op::kScale, {x}, {{Attr::kValue, 0.5}}, "scale");
        break;
      default:
        y = builder.Add(Op::kActivate, {x}, {{Attr::kFn, std::string("silu")}}, "activate");
    }
    values.push_back(y);
  }
  module.outputs = {values.back(), any(), values[values.size() / 2]};
  EXPECT_TRUE(builder.status().ok()) << builder.status();
  return ir::Print(module);
}

TEST(PlanMemoryTest, RandomGraphsDoNotOverwriteWhatIsAlive) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    PipelineOptions options;
    options.pass.max_tokens = 1 + seed % 7;
    options.pass.q8_threshold = 50;
    if (seed % 2 == 0) options.disabled = {"canonicalise", "fuse-epilogue"};
    const std::string text = RandomGraph(seed);
    const ir::Module module = Lower(text, options);
    ExpectNobodyOverwritten(module);
    const MemoryPlan plan = Summary(module);
    EXPECT_GE(plan.arena_bytes, plan.peak_live_bytes);
    EXPECT_LE(plan.arena_bytes, plan.bytes_without_reuse);
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << ir::Print(module);
  }
}

TEST(PlanMemoryTest, ModelsReuseMemoryWell) {
  for (Family family : kFamilies) {
    for (uint32_t seed = 0; seed < 20; ++seed) {
      const ir::Module module = Lower(RandomModel(family, seed), {});
      ExpectNobodyOverwritten(module);
      const MemoryPlan plan = Summary(module);
      EXPECT_GE(plan.arena_bytes, plan.peak_live_bytes);
      EXPECT_LE(plan.arena_bytes, plan.peak_live_bytes * 5 / 4) << ir::Print(module);
    }
  }
}

TEST(PlanMemoryTest, LayersDoNotAddToTheArena) {
  for (Family family : kFamilies) {
    const MemoryPlan two = Summary(Lower(RandomModel(family, 2, 2), {}));
    const MemoryPlan six = Summary(Lower(RandomModel(family, 2, 6), {}));
    EXPECT_EQ(six.arena_bytes, two.arena_bytes);
    EXPECT_EQ(six.kv_bytes, 3 * two.kv_bytes);
    EXPECT_GT(six.weight_bytes, two.weight_bytes);
  }
}

TEST(PlanMemoryTest, TooLargeIsAnError) {
  ir::Module module = ParseOrDie(R"(module "m" {
  tensor "emb" : f32[8,1000000000000] {file=0, offset=0}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f32[8,1000000000000]
  %2 = embed %0, %1 : f32[T,1000000000000]
  return %2
})");
  for (ir::NodeId id : module.order()) {
    if (IsStep(module.node(id))) module.node(id).Set(Attr::kPartition, std::string("tokens"));
  }
  bool changed = false;
  EXPECT_EQ(PlanMemory(&module, {.max_tokens = 1 << 24}, &changed).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft::passes
