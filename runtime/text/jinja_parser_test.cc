#include "runtime/text/jinja_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

std::string Error(absl::string_view source, const Limits& limits = {}) {
  return std::string(ParseTemplate(source, limits).status().message());
}

TEST(ParseTemplate, BuildsStatements) {
  const auto block = ParseTemplate(
      "a{{ b }}{% if c %}d{% elif e %}f{% else %}g{% endif %}\n{% for x, y in z if w %}h{% else "
      "%}i{% endfor %}",
      {});
  ASSERT_TRUE(block.ok()) << block.status();
  ASSERT_EQ(block->size(), 4u);
  EXPECT_EQ(std::get<IfStatement>((*block)[2].node).branches.size(), 3u);
  const auto& loop = std::get<ForStatement>((*block)[3].node);
  EXPECT_EQ(loop.target.items.size(), 2u);
  EXPECT_NE(loop.filter, nullptr);
  EXPECT_EQ(loop.otherwise.size(), 1u);
  EXPECT_EQ((*block)[3].line, 2);
}

TEST(ParseTemplate, MacrosKnowWhatTheyTake) {
  const auto block = ParseTemplate(
      "{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}{% macro n() %}{{ varargs }}{% endmacro %}",
      {});
  ASSERT_TRUE(block.ok()) << block.status();
  const MacroDefinition& m = *std::get<MacroStatement>((*block)[0].node).macro;
  EXPECT_EQ(m.parameters.size(), 2u);
  EXPECT_TRUE(m.uses_caller);
  EXPECT_FALSE(m.uses_varargs);
  const MacroDefinition& n = *std::get<MacroStatement>((*block)[1].node).macro;
  EXPECT_FALSE(n.uses_caller);
  EXPECT_TRUE(n.uses_varargs);
}

TEST(ParseTemplate, NamesWhatIsWrong) {
  EXPECT_EQ(Error("{% include 'x' %}"),
            "chat template, line 1: the tag 'include' is not supported here");
  EXPECT_EQ(Error("\n{% endif %}"), "chat template, line 2: the tag 'endif' is not supported here");
  EXPECT_EQ(
      Error("{% if x %}"),
      "chat template, line 1: the template ends where 'elif' or 'else' or 'endif' is missing");
  EXPECT_EQ(Error("{% break %}"), "chat template, line 1: 'break' outside of a loop");
  EXPECT_EQ(Error("{% for x in y recursive %}{% endfor %}"),
            "chat template, line 1: recursive loops are not supported");
  EXPECT_EQ(Error("{% set none = 1 %}"), "chat template, line 1: cannot assign to 'none'");
}

TEST(ParseTemplate, RefusesSizeAndDepth) {
  Limits limits;
  limits.template_bytes = 10;
  EXPECT_EQ(Error("12345678901", limits), "the template has 11 bytes; at most 10 are accepted");
  limits = Limits();
  limits.stack_bytes = size_t{2} << 20;
  std::string nested;
  for (int i = 0; i < 20000; ++i) nested += "{% if x %}";
  EXPECT_THAT(Error(nested, limits), ::testing::HasSubstr("nested more than 200 deep"));
  std::string targets = "{% for ";
  for (int i = 0; i < 20000; ++i) targets += "(";
  targets += "x" + std::string(20000, ')') + " in y ";
  EXPECT_THAT(Error(targets + "%}{% endfor %}", limits),
              ::testing::HasSubstr("nested more than 200 deep"));
  limits.stack_bytes = 1000;
  EXPECT_THAT(Error(nested, limits), ::testing::HasSubstr("it takes 1000 bytes of stack"));
}

}  // namespace
}  // namespace weft::jinja
