#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op_examples.h"
#include "ir/text.h"
#include "nlohmann/json.hpp"

namespace weft::ir {
namespace {

using testing::HasSubstr;

// A node of no meaning with one attribute.
std::string PrintedWith(Attr attr, AttrValue value) {
  Module module;
  Node node{.op = Op::kInput, .type = {DataType::kI32, {Symbol::kTokens}}};
  node.Set(attr, std::move(value));
  return PrintNode(module, module.Append(std::move(node)));
}

TEST(PrinterTest, EveryOpPrintsAsWrittenByHand) {
  for (const OpInfo& info : AllOps()) {
    const std::string text = ExampleOf(info.op);
    const absl::StatusOr<Module> module = Parse(text);
    ASSERT_TRUE(module.ok()) << info.name << ": " << module.status();
    EXPECT_EQ(module->node(module->outputs[0]).op, info.op);
    EXPECT_EQ(Print(*module), text);
  }
}

TEST(PrinterTest, FloatsAreShortestAndReadAsFloats) {
  const auto text = [](double value) { return PrintedWith(Attr::kScale, value); };
  EXPECT_EQ(text(1), "%0 = input {scale=1.0} : i32[T]");
  EXPECT_THAT(text(0.1), HasSubstr("=0.1}"));
  EXPECT_THAT(text(-0.0), HasSubstr("=-0.0}"));
  EXPECT_THAT(text(1e300), HasSubstr("=1e+300}"));
  EXPECT_THAT(text(5e-324), HasSubstr("=5e-324}"));
  EXPECT_THAT(text(std::numeric_limits<double>::max()), HasSubstr("=1.7976931348623157e+308}"));
  EXPECT_THAT(text(std::numeric_limits<double>::infinity()), HasSubstr("=inf}"));
  EXPECT_THAT(text(-std::numeric_limits<double>::infinity()), HasSubstr("=-inf}"));
  EXPECT_THAT(text(std::numeric_limits<double>::quiet_NaN()), HasSubstr("=nan}"));
}

TEST(PrinterTest, ListsAndStrings) {
  EXPECT_THAT(PrintedWith(Attr::kRows, std::vector<int64_t>{}), HasSubstr("{rows=[]}"));
  EXPECT_THAT(PrintedWith(Attr::kRows, std::vector<int64_t>{-1, 2}), HasSubstr("{rows=[-1, 2]}"));
  EXPECT_THAT(PrintedWith(Attr::kEpilogue, std::vector<std::string>{"a\"", "\\"}),
              HasSubstr(R"({epilogue=["a\"", "\\"]})"));
  EXPECT_THAT(PrintedWith(Attr::kWhy, std::string("▁tab\tline\n")),
              HasSubstr(R"({why="▁tab\tline\n"})"));
  EXPECT_THAT(PrintedWith(Attr::kView, true), HasSubstr("{view=true}"));
}

TEST(PrinterTest, NumbersValuesInProgramOrder) {
  Module module = *Parse(ExampleOf(Op::kMul));  // %6 = mul %3, %4; %7 = mul %6, %3
  const NodeId twin = module.InsertAfter(6, module.node(6));
  EXPECT_EQ(twin, 8);
  module.ReplaceUses(6, twin);
  EXPECT_EQ(PrintNode(module, twin), "%7 = mul %3, %4 : f32[T,64]");
  EXPECT_EQ(PrintNode(module, 7), "%8 = mul %7, %3 : f32[T,64]");
  EXPECT_THAT(Print(module), HasSubstr("return %8, %3\n"));
  EXPECT_EQ(Print(*Parse(Print(module))), Print(module));
}

TEST(PrinterTest, LinesOfNodes) {
  Module module = *Parse(ExampleOf(Op::kAdd));
  module.node(3).location = "two\nlines";
  module.InsertBefore(6, module.node(6));  // ids are not in program order
  const std::vector<std::string> text = absl::StrSplit(Print(module), '\n');
  const std::vector<int> lines = LinesOf(module);
  ASSERT_EQ(static_cast<NodeId>(lines.size()), module.id_bound());
  for (NodeId id : module.order())
    EXPECT_EQ(text[lines[id] - 1], absl::StrCat("  ", PrintNode(module, id)));
}

TEST(PrinterTest, PrintsWhatIsNotLegal) {
  Module module;
  module.Append({.op = Op::kAdd, .operands = {-1, 5}});
  module.outputs = {3};
  EXPECT_EQ(Print(module),
            "module \"\" {\n  %0 = add %undefined, %undefined : f32[]\n  return %undefined\n}\n");
}

TEST(PrinterTest, JsonHoldsTheModule) {
  for (const OpInfo& info : AllOps()) {
    const Module module = *Parse(ExampleOf(info.op));
    const auto json = nlohmann::json::parse(PrintJson(module), nullptr, /*allow_exceptions=*/false);
    ASSERT_FALSE(json.is_discarded()) << PrintJson(module);
    EXPECT_EQ(json["name"], "example");
    ASSERT_EQ(json["nodes"].size(), module.order().size());
    EXPECT_EQ(json["nodes"].back()["op"], std::string(info.name));
    EXPECT_EQ(json["nodes"].back()["operands"].size(),
              module.node(module.outputs[0]).operands.size());
    EXPECT_EQ(json["nodes"].back()["attributes"].size(),
              module.node(module.outputs[0]).attrs.size());
    EXPECT_EQ(json["nodes"][3]["type"], "f32[T,64]");
    EXPECT_EQ(json["nodes"][3]["location"], "embed_tokens");
    EXPECT_EQ(json["outputs"][1], 3);
    EXPECT_EQ(json["tensors"][2]["offset"], 18446744073709543423U);
    EXPECT_EQ(json["tensors"][2]["bytes"], 8192);
    EXPECT_EQ(json["tensors"][3]["type"], "q8_0");
  }
}

TEST(PrinterTest, JsonIsUtf8WhateverNamesHold) {
  Module module;
  // Good: 1 to 4 bytes. Bad: stray continuation, cut short, overlong, surrogate, above U+10FFFF.
  module.name =
      "a\x01\x7f é ▁ 😀 \x80 \xe2\x96 \xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xff";
  const auto json = nlohmann::json::parse(PrintJson(module), nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["name"], "a\x01\x7f é ▁ 😀 � �� �� ��� ��� ���� �");
}

TEST(PrinterTest, JsonQuotesFloatsThatItHasNoWordFor) {
  Module module;
  Node node{.op = Op::kInput, .type = {DataType::kI32, {Symbol::kTokens}}};
  node.Set(Attr::kScale, std::numeric_limits<double>::infinity());
  node.Set(Attr::kInvFreq, std::vector<double>{0.5, std::numeric_limits<double>::quiet_NaN()});
  module.Append(std::move(node));
  const auto json = nlohmann::json::parse(PrintJson(module), nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["nodes"][0]["attributes"]["scale"], "inf");
  EXPECT_EQ(json["nodes"][0]["attributes"]["inv_freq"][0], 0.5);
  EXPECT_EQ(json["nodes"][0]["attributes"]["inv_freq"][1], "nan");
}

TEST(PrinterTest, NumbersOfTheCallersChoiceParseToTheSame) {
  const Module module = *Parse(ExampleOf(Op::kAdd));
  std::vector<NodeId> numbers(module.id_bound());
  for (NodeId id = 0; id < module.id_bound(); ++id) numbers[id] = 900 - 7 * id;
  const std::string text = PrintNumbered(module, numbers);
  EXPECT_THAT(text, HasSubstr("%858 = add %879, %872"));
  EXPECT_EQ(Print(*Parse(text)), Print(module));
}

}  // namespace
}  // namespace weft::ir
