// That a wrong pass or kernel is found, and made small: what is compiled is made to differ from
// what is expected, as a mistake would.
#include "tests/graphs/case_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "ir/text.h"
#include "ir/verifier.h"
#include "tests/graphs/forked.h"
#include "tests/graphs/graph_generator.h"
#include "tests/graphs/minimise.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Calls change(node) for each node until it returns true.
template <typename Change>
void ChangeOne(Module* module, Change change) {
  for (const NodeId id : module->order()) {
    if (change(&module->node(id))) return;
  }
}

void WidenWindow(Module* module) {
  ChangeOne(module, [](Node* node) {
    if (node->op != Op::kAttention || !node->Has(Attr::kWindow)) return false;
    node->Set(Attr::kWindow, node->Int(Attr::kWindow) + 1);
    return true;
  });
}

void SwapGateAndUp(Module* module) {
  ChangeOne(module, [](Node* node) {
    if (node->op != Op::kGatedActivate) return false;
    std::swap(node->operands[0], node->operands[1]);
    return true;
  });
}

void SwapWeightsOfGate(Module* module) {
  ChangeOne(module, [module](Node* node) {
    if (node->op != Op::kMatmul || ir::GatedFn(*node).empty()) return false;
    Node& pack = module->node(module->OperandsOf(*node).weights[0]);
    std::swap(pack.operands[0], pack.operands[1]);
    return true;
  });
}

// The bias of the sum becomes another vector.
void TakeWrongBias(Module* module) {
  ChangeOne(module, [module](Node* node) {
    if (node->op != Op::kMatmul) return false;
    const NodeId bias = module->OperandsOf(*node).bias;
    if (bias < 0) return false;
    for (const NodeId other : module->order()) {
      const Node& candidate = module->node(other);
      if (&candidate == node) break;
      if (other == bias || candidate.op != Op::kPack) continue;
      if (!(candidate.type == module->node(bias).type)) continue;
      std::ranges::replace(node->operands, bias, other);
      return true;
    }
    return false;
  });
}

void ChangeFn(Module* module) {
  ChangeOne(module, [](Node* node) {
    if (node->op != Op::kActivate || node->String(Attr::kFn) != "gelu") return false;
    node->Set(Attr::kFn, std::string("gelu_tanh"));
    return true;
  });
}

void ShiftSlice(Module* module) {
  ChangeOne(module, [](Node* node) {
    if (node->op != Op::kSlice || node->Int(Attr::kBegin) == 0) return false;
    node->Set(Attr::kBegin, node->Int(Attr::kBegin) - 1);
    node->Set(Attr::kEnd, node->Int(Attr::kEnd) - 1);
    node->Set(Attr::kAddress, node->Int(Attr::kAddress) - 4);
    return true;
  });
}

void ChangeEps(Module* module) {
  ChangeOne(module, [](Node* node) {
    if (node->op != Op::kRmsNorm && node->op != Op::kLayerNorm) return false;
    node->Set(Attr::kEps, node->Float(Attr::kEps) + 1e-3);
    return true;
  });
}

void RotateTheOtherWay(Module* module) {
  ChangeOne(module, [module](Node* node) {
    if (node->op != Op::kRope) return false;
    if (module->node(node->operands[2]).type.last().value() < 4) return false;
    const bool interleaved = node->Bool(Attr::kInterleaved);
    node->Set(Attr::kInterleaved, !interleaved);
    return true;
  });
}

struct Mistake {
  const char* name;
  void (*make)(Module* module);
  bool in_passes;
  const char* kind;     // of the failure
  const char* feature;  // of graphs in which it can show
};

// A handful of nodes that a mistake needs to show, and the twelve or so that every graph has: ids,
// positions, tables, selected rows, head, argmax.
constexpr size_t kMostNodes = 24;

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreFoundAndMadeSmall) {
  const Mistake& mistake = GetParam();
  Sabotage sabotage;
  (mistake.in_passes ? sabotage.passes : sabotage.kernels) = mistake.make;
  CaseChecker checker(sabotage);
  std::optional<GraphCase> found;
  absl::Status failure;
  // One palette at a time, so that kernels are shared.
  for (uint64_t seed = 0; seed < 400 && !found; ++seed) {
    GraphCase graph_case = RandomCase(RandomPalette(seed / 50), seed, 1, nullptr);
    const std::vector<std::string> features = Features(graph_case.module);
    if (std::ranges::find(features, mistake.feature) == features.end()) continue;
    // What is quick to compile, again and again.
    if (graph_case.module.order().size() > 60) continue;
    graph_case.variants[0].tier = codegen::Tier::kAvx2;
    graph_case.variants[0].plan = false;
    graph_case.variants[0].poison = false;
    failure = checker.Check(graph_case);
    if (!failure.ok()) found = std::move(graph_case);
  }
  ASSERT_TRUE(found) << "not found in 400 graphs";
  ASSERT_EQ(KindOf(failure), mistake.kind) << failure;
  // Without it there is no failure.
  EXPECT_TRUE(CaseChecker().Check(*found).ok());

  const auto check = [&](const GraphCase& graph_case) { return checker.Check(graph_case); };
  const GraphCase small = Minimise(*found, KindOf(failure), check, 200);
  EXPECT_EQ(KindOf(checker.Check(small)), mistake.kind);
  EXPECT_TRUE(CaseChecker().Check(small).ok()) << CaseChecker().Check(small);
  EXPECT_LE(small.module.order().size(), kMostNodes) << Print(small);
  EXPECT_LE(small.tokens.size(), 4U);
  // What is written to a file fails as well.
  const auto parsed = ParseCase(Print(small));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(KindOf(checker.Check(*parsed)), mistake.kind);
}

TEST(ForkedTest, EndsThatCount) {
  const ForkedResult whole = RunForked([](int fd) { WriteAll(fd, "work"); });
  EXPECT_EQ(whole.output, "work");
  EXPECT_EQ(whole.death, "");
  EXPECT_EQ(RunForked([](int fd) {
              WriteAll(fd, "work");
              _exit(0);
            }).death,
            "exit before its end");
  EXPECT_EQ(RunForked([](int /*fd*/) { _exit(3); }).death, "exit status 3");
  EXPECT_EQ(RunForked([](int /*fd*/) { abort(); }).death, "signal 6 (Aborted)");
}

INSTANTIATE_TEST_SUITE_P(
    All, Mistakes,
    testing::Values(Mistake{"Window", WidenWindow, true, "oracle", "attention window"},
                    Mistake{"WindowOfAKernel", WidenWindow, false,
                            "step: attention differs from the evaluator", "attention window"},
                    Mistake{"GateAndUp", SwapGateAndUp, true, "oracle", "gated_activate"},
                    Mistake{"WeightsOfGate", SwapWeightsOfGate, false,
                            "step: matmul differs from the evaluator", "matmul with activation"},
                    Mistake{"Bias", TakeWrongBias, true, "oracle", "matmul with bias"},
                    Mistake{"Fn", ChangeFn, false, "step: activate differs from the evaluator",
                            "activate gelu"},
                    Mistake{"Slice", ShiftSlice, true, "oracle", "slice"},
                    Mistake{"EpsOfAKernel", ChangeEps, false,
                            "step: rms_norm differs from the evaluator", "rms_norm"},
                    Mistake{"Rope", RotateTheOtherWay, false,
                            "step: rope differs from the evaluator", "rope"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weft::graphs
