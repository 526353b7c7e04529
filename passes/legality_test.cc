// Each check is shown a legal module and the same with one thing wrong.
#include "passes/legality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

Module LowerTo(const std::string& stage) {
  PipelineOptions options = {.stop_after = stage};
  options.pass.q8_threshold = 24;
  return Lower(RandomModel(Family::kLlama, 3), options);
}

// The `skip`-th node for which the predicate holds.
NodeId Find(const Module& module, const std::function<bool(const Node&)>& matches, int skip = 0) {
  for (NodeId id : module.order()) {
    if (matches(module.node(id)) && skip-- == 0) return id;
  }
  ADD_FAILURE() << "no such node";
  return 0;
}
NodeId Find(const Module& module, Op op, int skip = 0) {
  return Find(module, [op](const Node& node) { return node.op == op; }, skip);
}

using Check = absl::Status (*)(const Module&, const PassOptions&);

void ExpectError(const std::string& stage, Check check, const std::function<void(Module*)>& spoil,
                 absl::string_view error) {
  Module module = LowerTo(stage);
  EXPECT_TRUE(check(module, {}).ok()) << check(module, {});
  spoil(&module);
  EXPECT_THAT(std::string(check(module, {}).message()), testing::HasSubstr(std::string(error)));
}

TEST(LegalityTest, Packed) {
  EXPECT_FALSE(CheckPacked(LowerTo("fuse-epilogue"), {}).ok());
  const auto expect = [](const std::function<void(Module*)>& spoil, absl::string_view error) {
    ExpectError("pack-layout", CheckPacked, spoil, error);
  };
  expect(
      [](Module* module) {
        Node& norm = module->node(Find(*module, Op::kRmsNorm));
        norm.operands[1] = module->node(norm.operands[1]).operands[0];
      },
      "uses a weight that is not packed");
  expect(
      [](Module* module) {
        module->node(Find(*module, Op::kWeight)).Set(Attr::kFormat, std::string("none"));
      },
      "is not of its weights' format");
  expect([](Module* module) { module->node(Find(*module, Op::kWeight)).Remove(Attr::kFormat); },
         "has no format");
  expect(
      [](Module* module) {
        Node& pack = module->node(Find(*module, [](const Node& node) {
          return node.op == Op::kPack && node.type.layout == ir::Layout::kPanels16;
        }));
        pack.type.layout = ir::Layout::kRows;
      },
      "cannot read the layout");
  expect(
      [](Module* module) {
        module->node(Find(*module, Op::kMatmul))
            .Set(Attr::kEpilogue, std::vector<std::string>{"gated_silu"});
      },
      "cannot read the layout");
}

TEST(LegalityTest, Scheduled) {
  EXPECT_FALSE(CheckScheduled(LowerTo("pack-layout"), {}).ok());
  const auto expect = [](const std::function<void(Module*)>& spoil, absl::string_view error) {
    ExpectError("schedule", CheckScheduled, spoil, error);
  };
  expect([](Module* module) { module->node(Find(*module, Op::kMatmul)).Remove(Attr::kUnits); },
         "has no partition");
  expect(
      [](Module* module) {
        Node& matmul = module->node(Find(*module, Op::kMatmul));
        matmul.Set(Attr::kUnits, matmul.Int(Attr::kUnits) + 1);
      },
      "should be split into");
  expect([](Module* module) { module->node(Find(*module, Op::kSlice)).Remove(Attr::kView); },
         "is no view");
  expect(
      [](Module* module) {
        Node& second = module->node(Find(*module, Op::kSlice, 1));
        second.operands[0] = Find(*module, Op::kSlice, 0);
      },
      "cannot be a view");
  expect(
      [](Module* module) {
        Node& input = module->node(Find(*module, Op::kInput));
        for (Attr attr : {Attr::kUnits, Attr::kGrain}) input.Set(attr, int64_t{1});
        input.Set(Attr::kPartition, std::string("one"));
      },
      "is partitioned but no step");
}

TEST(LegalityTest, Planned) {
  EXPECT_FALSE(CheckPlanned(LowerTo("schedule"), {}).ok());
  const auto expect = [](const std::function<void(Module*)>& spoil, absl::string_view error) {
    ExpectError("plan-memory", CheckPlanned, spoil, error);
  };
  const auto shift = [](Node* node, Attr attr, int64_t by) {
    node->Set(attr, node->Int(attr) + by);
  };
  expect([](Module* module) { module->node(Find(*module, Op::kPack)).Remove(Attr::kAddress); },
         "has no place");
  expect([&](Module* module) { shift(&module->node(Find(*module, Op::kPack)), Attr::kBytes, -4); },
         "needs ");
  expect(
      [&](Module* module) { shift(&module->node(Find(*module, Op::kEmbed)), Attr::kAddress, 4); },
      "is not aligned");
  expect(
      [](Module* module) {
        module->node(Find(*module, Op::kEmbed)).Set(Attr::kSpace, std::string("kv"));
      },
      "is in the wrong space");
  expect(
      [&](Module* module) { shift(&module->node(Find(*module, Op::kEmbed)), Attr::kStride, 64); },
      "has the wrong stride");
  expect(
      [&](Module* module) { shift(&module->node(Find(*module, Op::kSlice)), Attr::kAddress, 64); },
      "does not lie where its columns are");
  expect(
      [](Module* module) {
        Node& norm = module->node(Find(*module, Op::kRmsNorm));
        norm.Set(Attr::kAddress, module->node(norm.operands[0]).Int(Attr::kAddress));
      },
      "which is alive");
  expect(
      [](Module* module) {
        Node& second = module->node(Find(*module, Op::kPack, 1));
        second.Set(Attr::kAddress, module->node(Find(*module, Op::kPack, 0)).Int(Attr::kAddress));
      },
      "overlaps %");
}

}  // namespace
}  // namespace weft::passes
