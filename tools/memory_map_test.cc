#include "tools/memory_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::tools {
namespace {

using testing::HasSubstr;

constexpr Space kArena = Space::kArena;
constexpr Space kWeights = Space::kWeights;
constexpr Space kKv = Space::kKvCache;

Step Make(const char* name, const char* kind, std::vector<OperandRef> operands) {
  Step step;
  step.name = name;
  step.kind = kind;
  step.operands = std::move(operands);
  return step;
}

// Tokens and positions at 0 and 64; an embedding at 128, whose place the logits take again.
Program Sample() {
  Program program;
  program.arena_bytes = 768;
  program.weight_bytes = 320;
  program.kv_bytes = 256;
  program.tokens = {kArena, 0, 64, false};
  program.positions = {kArena, 64, 64, false};
  program.logits = {kArena, 128, 128, true};
  program.argmax = {kArena, 256, 64, true};
  program.steps = {
      Make("embed", "embed", {{kArena, 0, 64}, {kWeights, 64, 128}, {kArena, 128, 128, true}}),
      Make("kv", "kv_append", {{kArena, 128, 128}, {kArena, 64, 64}, {kKv, 128, 128, true}}),
      Make(
          "attention", "attention",
          {{kArena, 128, 128}, {kKv, 128, 128}, {kArena, 640, 128, true}, {kArena, 320, 64, true}}),
      Make("attention", "attention merge", {{kArena, 640, 128}, {kArena, 320, 64, true}}),
      // Half of what the attention left: a view.
      Make("lm_head", "matmul",
           {{kArena, 352, 32}, {kWeights, 64, 128}, {kWeights, 0, 64}, {kArena, 128, 128, true}}),
      Make("argmax", "argmax", {{kArena, 128, 128}, {kArena, 256, 64, true}})};
  return program;
}

std::string Shown(const std::vector<MemoryValue>& values) {
  std::string text;
  for (const MemoryValue& value : values) {
    text += value.kind + " " + std::to_string(value.offset) + "+" + std::to_string(value.bytes) +
            " " + (value.first_step ? std::to_string(*value.first_step) : "-") + ".." +
            (value.last_step ? std::to_string(*value.last_step) : "-") + "\n";
  }
  return text;
}

TEST(MemoryMap, WhatHasNoBytesTakesNoPlaceOfOthers) {
  Program program = Sample();
  program.steps.insert(program.steps.begin() + 1, Make("none", "slice", {{kArena, 128, 0, true}}));
  const MemoryMap map = MapMemory(program, nullptr);
  EXPECT_THAT(Shown(map.arena), HasSubstr("embed 128+128 0..3\nslice 128+0 1..1\n"));
}

TEST(MemoryMap, LifetimesAreThoseOfReadsAndWrites) {
  const MemoryMap map = MapMemory(Sample(), nullptr);
  EXPECT_EQ(Shown(map.arena),
            "input 0+64 -..0\n"
            "input 64+64 -..1\n"
            "embed 128+128 0..2\n"
            "attention workspace 640+128 2..3\n"
            "attention 320+64 2..4\n"
            "matmul 128+128 4..-\n"
            "argmax 256+64 5..-\n");
  EXPECT_EQ(Shown(map.weights), "matmul 0+64 4..4\nembed 64+128 0..4\n");
  EXPECT_EQ(Shown(map.kv_cache), "kv_append 128+128 1..2\n");
}

TEST(MemoryMap, TextAndJson) {
  const MemoryMap map = MapMemory(Sample(), nullptr);
  const std::string text = MemoryText(map);
  EXPECT_THAT(text, HasSubstr("arena: 768 bytes\n"));
  EXPECT_THAT(text, HasSubstr("weights: 320 bytes\n"));
  EXPECT_THAT(text, HasSubstr("KV cache: 256 bytes\n"));
  EXPECT_THAT(text, HasSubstr("caller"));
  const nlohmann::ordered_json json = MemoryJson(map);
  EXPECT_EQ(json["arena"].size(), 7u);
  EXPECT_TRUE(json["arena"][0]["first_step"].is_null());
  EXPECT_EQ(json["arena"][0]["last_step"], 0);
  EXPECT_EQ(json["weights"][1]["name"], "embed");
}

}  // namespace
}  // namespace weft::tools
