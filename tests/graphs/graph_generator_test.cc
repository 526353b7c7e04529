#include "tests/graphs/graph_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "ir/text.h"
#include "tests/graphs/graph_case.h"
#include "tests/graphs/random_weights.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Op;

// What passes alone put into a graph.
bool IsOfPasses(Op op) { return op == Op::kPack || op == Op::kQuantize; }
bool IsOfPasses(Op op, Attr attr) {
  return attr == Attr::kFormat || attr == Attr::kWhy ||
         (op == Op::kMatmul && (attr == Attr::kInputs || attr == Attr::kEpilogue));
}

// From the op table, so that a new op or attribute is missed here until the generator makes it.
std::set<std::string> OpsAndAttributes() {
  std::set<std::string> wanted;
  for (const ir::OpInfo& info : ir::AllOps()) {
    if (IsOfPasses(info.op)) continue;
    wanted.insert(std::string(info.name));
    for (const Attr attr : info.optional) {
      if (!IsOfPasses(info.op, attr)) wanted.insert(absl::StrCat(info.name, " ", ir::Name(attr)));
    }
  }
  return wanted;
}

// Over graphs of many palettes.
std::map<std::string, int> FeaturesOfMany() {
  std::map<std::string, int> found;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const ir::Module module = RandomGraph(RandomPalette(seed / 5), seed);
    for (const std::string& feature : Features(module)) ++found[feature];
  }
  return found;
}

TEST(RandomGraph, HasEveryOpAndAttributeThatMayStandInAFrontEndsGraph) {
  const std::map<std::string, int> found = FeaturesOfMany();
  std::set<std::string> wanted = OpsAndAttributes();
  ASSERT_GE(wanted.size(), 30U);
  for (const ir::OpInfo& info : ir::AllOps()) {
    // All that compute rows can also do it for the last ones alone, but for those that need all
    // positions.
    if (ir::IsRowWise(info.op) && info.op != Op::kKvAppend && info.op != Op::kRope &&
        info.op != Op::kEmbed && !IsOfPasses(info.op) && info.op != Op::kArgmax) {
      wanted.insert(absl::StrCat(info.name, " of L"));
    }
  }
  for (const char* fn : {"gelu", "gelu_tanh", "silu"}) {
    wanted.insert(absl::StrCat("activate ", fn));
    wanted.insert(absl::StrCat("gated_activate ", fn));
  }
  for (const DataType type : WeightTypes()) wanted.insert(absl::StrCat("matrix ", Name(type)));
  for (const char* type : {"f32", "f16", "bf16"}) wanted.insert(absl::StrCat("vector ", type));
  for (const int group : {1, 2, 3, 4, 5, 8, 9, 13})
    wanted.insert(absl::StrCat("heads for each of the cache: ", group));
  for (const int head_dim : {1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 20, 31, 32, 33, 40, 64, 72})
    wanted.insert(absl::StrCat("head_dim ", head_dim));
  for (const char* feature : {"value used twice",
                              "dead value",
                              "width 1",
                              "width of no whole panel",
                              "width of half a block",
                              "width of whole blocks of gate and up",
                              "keys are values",
                              "attentions share a cache",
                              "attention window and softcap",
                              "queries rotated",
                              "queries not rotated",
                              "rope of a part",
                              "embed by tokens",
                              "embed by positions",
                              "embed by argmax",
                              "add of a vector",
                              "mul of a vector",
                              "add of a value and itself",
                              "add of two matmuls",
                              "mul of two matmuls",
                              "scale by 1",
                              "slice of a matmul",
                              "vector cut",
                              "tied embedding",
                              "weight used twice",
                              "tensor of two weights",
                              "matrix of no whole blocks",
                              "several matmuls of one input",
                              "matmul by a concat",
                              "matmul with bias",
                              "matmul with residual",
                              "matmul with activation",
                              "matmul of less than a panel",
                              "matmul of many panels"}) {
    wanted.insert(feature);
  }
  for (const std::string& feature : wanted)
    EXPECT_TRUE(found.contains(feature)) << "no graph has: " << feature;
}

TEST(RandomGraph, IsTheSameForTheSameSeed) {
  const Palette palette = RandomPalette(3);
  EXPECT_EQ(ir::Print(RandomGraph(palette, 5)), ir::Print(RandomGraph(palette, 5)));
  EXPECT_NE(ir::Print(RandomGraph(palette, 5)), ir::Print(RandomGraph(palette, 6)));
}

TEST(RandomPalette, ThoseInARowTakeEverySubsetOfPassesOnEveryTier) {
  std::set<std::pair<codegen::Tier, uint64_t>> seen;
  for (uint64_t number = 0; number < 32; ++number) {
    const Palette palette = RandomPalette(number);
    for (const codegen::Tier tier : palette.tiers) {
      for (const uint64_t subset : palette.subsets) seen.insert({tier, subset});
    }
  }
  EXPECT_EQ(seen.size(), AllTiers().size() << OptionalPasses().size());
}

// Over graphs of several palettes, every value of every option occurs.
TEST(RandomCase, TakesEveryOption) {
  std::map<std::string, int> seen;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    const GraphCase graph_case = RandomCase(RandomPalette(seed / 5), seed, 2, nullptr);
    const passes::PassOptions& options = graph_case.options;
    const auto prompt = static_cast<int64_t>(graph_case.tokens.size());
    ++seen[absl::StrCat("weights ", passes::Name(options.weights))];
    ++seen[absl::StrCat("kv ", passes::Name(options.kv))];
    if (!options.formats.empty()) ++seen["override"];
    if (options.max_tokens < prompt) ++seen["prompt longer than a run"];
    if (options.max_logit_rows < options.max_tokens) ++seen["few logits"];
    if (prompt > 128) ++seen["prompt longer than a span"];
    for (const Variant& variant : graph_case.variants) {
      ++seen[absl::StrCat("threads ", variant.threads)];
      if (variant.chunk < prompt) ++seen["prompt in chunks"];
      if (variant.poison) ++seen["poison"];
      if (variant.plan) ++seen["plan"];
    }
  }
  for (const char* option :
       {"weights f32", "weights q8_0", "weights auto", "kv f32", "kv f16", "kv q8_0", "kv auto",
        "override", "prompt longer than a run", "few logits", "prompt longer than a span",
        "threads 1", "threads 2", "threads 3", "threads 4", "threads 8", "prompt in chunks",
        "poison", "plan"}) {
    EXPECT_GT(seen[option], 0) << option;
  }
}

TEST(GraphCase, ReadsWhatItPrints) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const GraphCase graph_case = RandomCase(RandomPalette(seed), seed, 3, nullptr);
    const std::string text = Print(graph_case);
    const auto parsed = ParseCase(absl::StrCat("# a comment\n\n", text));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(Print(*parsed), text);
  }
}

TEST(GraphCase, RefusesOtherText) {
  const std::string module = ir::Print(RandomGraph(RandomPalette(1), 1));
  for (const char* line :
       {"seed", "seed x", "tokens 1 x", "weights q4", "kv q4", "format a", "colour red", "variant",
        "variant z80", "variant x86-64-v3 threads=x", "variant x86-64-v3 fast"}) {
    EXPECT_FALSE(ParseCase(absl::StrCat(line, "\n", module)).ok()) << line;
  }
  EXPECT_FALSE(ParseCase("seed 1\n").ok());
  EXPECT_FALSE(ParseCase("module \"m\" {").ok());
}

}  // namespace
}  // namespace weft::graphs
