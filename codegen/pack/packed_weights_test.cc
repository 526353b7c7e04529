#include "codegen/pack/packed_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ir/text.h"

namespace weft::codegen {
namespace {

constexpr char kModule[] = R"(module "m" {
  tensor "a" : f32[32,32] {file=0, offset=0}
  tensor "b" : f32[32,32] {file=0, offset=4096}
  %0 = weight {tensor="a", rows=[0, 16]} : f32[16,32]
  %1 = weight {tensor="b", rows=[0, 16]} : f32[16,32]
  %2 = pack %0, %1 {format="f32", layout="panels16", space="weights", address=64, bytes=4096} : f32[32,32]{panels16}
  return %2
})";

ir::Module Parse(const std::string& text) {
  auto module = ir::Parse(text);
  EXPECT_TRUE(module.ok()) << module.status() << "\n" << text;
  return *std::move(module);
}

// What the earlier kModule offers to another, whose one pack is %2.
absl::Span<const uint8_t> Found(const std::string& other, absl::Span<const uint8_t> weights) {
  const PackedWeights packed(Parse(kModule), weights);
  const ir::Module module = Parse(other);
  return packed.Find(module, module.node(module.outputs[0]));
}

std::string With(const std::string& from, const std::string& to) {
  std::string text = absl::StrReplaceAll(kModule, {{from, to}});
  EXPECT_NE(text, kModule) << from;
  return text;
}

TEST(PackedWeights, TheSameContentIsFoundAtItsEarlierAddress) {
  const std::vector<uint8_t> weights(64 + 4096);
  const auto moved = With("address=64", "address=1024");
  for (const std::string& other : {std::string(kModule), moved}) {
    const absl::Span<const uint8_t> found = Found(other, weights);
    EXPECT_EQ(found.data(), weights.data() + 64);
    EXPECT_EQ(found.size(), 4096);
  }
}

TEST(PackedWeights, OtherContentIsNot) {
  const std::vector<uint8_t> weights(64 + 4096);
  const std::vector<std::string> others = {
      With("%0, %1", "%1, %0"),
      With("%0, %1", "%0, %0"),
      With("tensor=\"b\", rows=[0, 16]", "tensor=\"b\", rows=[16, 32]"),
      With("tensor \"b\" : f32[32,32] {file=0", "tensor \"b\" : f32[32,32] {file=1"),
      With("offset=4096", "offset=8192"),
      With("panels16", "panels16x2"),
      absl::StrReplaceAll(kModule, {{"format=\"f32\"", "format=\"q8_0\""},
                                    {"f32[32,32]{panels16}", "q8_0[32,32]{panels16}"},
                                    {"bytes=4096}", "bytes=1088}"}}),
      // That the size alone differs is no module of the compiler's.
      With("bytes=4096", "bytes=2048"),
  };
  for (const std::string& other : others) EXPECT_TRUE(Found(other, weights).empty()) << other;
}

TEST(PackedWeights, WhatLiesOutsideIsLeftOut) {
  EXPECT_TRUE(Found(kModule, std::vector<uint8_t>(64 + 4095)).empty());
  EXPECT_TRUE(Found(kModule, {}).empty());
  const std::vector<uint8_t> weights(64 + 4096);
  for (const char* address : {"address=9223372036854775744", "address=4160"}) {
    const PackedWeights packed(Parse(With("address=64", address)), weights);
    const ir::Module module = Parse(kModule);
    EXPECT_TRUE(packed.Find(module, module.node(module.outputs[0])).empty()) << address;
  }
}

}  // namespace
}  // namespace weft::codegen
