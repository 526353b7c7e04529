#include "runtime/text/jinja_lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

// Text and tokens, one after the other: "a|{%|name x|%}".
std::string Lexed(absl::string_view source) {
  const absl::StatusOr<std::vector<Token>> tokens = Tokenize(source);
  if (!tokens.ok()) return "error: " + std::string(tokens.status().message());
  std::string out;
  for (const Token& token : *tokens) {
    if (token.kind == TokenKind::kEnd) break;
    if (!out.empty()) out += '|';
    out += token.kind == TokenKind::kText || token.kind == TokenKind::kName ? token.text
                                                                            : Describe(token);
  }
  return out;
}

TEST(Tokenize, TrimsAroundBlocks) {
  EXPECT_EQ(Lexed("a\n  {% x %}\nb"), "a\n|'{%'|x|'%}'|b");
  EXPECT_EQ(Lexed("a\n  {%+ x +%}\nb"), "a\n  |'{%'|x|'%}'|\nb");
  EXPECT_EQ(Lexed("a\n {%- x -%} \n b"), "a|'{%'|x|'%}'|b");
  EXPECT_EQ(Lexed("a {% x %} b"), "a |'{%'|x|'%}'| b");
  EXPECT_EQ(Lexed("  {{ x }}\nb"), "  |'{{'|x|'}}'|\nb");
  EXPECT_EQ(Lexed(" {{- x -}} \nb"), "'{{'|x|'}}'|b");
}

TEST(Tokenize, DropsCommentsAndKeepsRawText) {
  EXPECT_EQ(Lexed("a{# {{ x }} #}b"), "a|b");
  EXPECT_EQ(Lexed("{% raw %}{{ x }}{% endraw %}y"), "{{ x }}|y");
  EXPECT_EQ(Lexed("{%- raw -%} {% if %} {%- endraw -%} y"), "{% if %}|y");
}

TEST(Tokenize, ReadsNumbersStringsAndOperators) {
  const auto tokens = Tokenize(R"({{ 1_000 1.5e3 0x1F 'a\n\x41é\q' // ** }})");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 9u);
  EXPECT_EQ((*tokens)[1].integer, 1000);
  EXPECT_EQ((*tokens)[2].number, 1500.0);
  EXPECT_EQ((*tokens)[3].integer, 31);
  EXPECT_EQ((*tokens)[4].text, "a\nAé\\q");
  EXPECT_TRUE((*tokens)[5].IsOperator("//"));
  EXPECT_TRUE((*tokens)[6].IsOperator("**"));
}

TEST(Tokenize, BalancesBrackets) {
  EXPECT_EQ(Lexed("{{ {'a': {}} }}"), "'{{'|'{'|a string|':'|'{'|'}'|'}'|'}}'");
  EXPECT_EQ(Lexed("{{ (] }}"), "error: chat template, line 1: unexpected ']'");
}

TEST(Tokenize, ErrorsTellTheLine) {
  EXPECT_EQ(Lexed("a\nb {# x"), "error: chat template, line 2: a comment '{#' has no '#}'");
  EXPECT_EQ(Lexed("\n\n{{ 'x }}"), "error: chat template, line 3: a string has no closing quote");
  EXPECT_EQ(Lexed("{{ x"), "error: chat template, line 1: a tag has no '}}'");
  EXPECT_EQ(Lexed("{{ $ }}"), "error: chat template, line 1: unexpected character '$'");
  EXPECT_EQ(Lexed("{% raw %}x"), "error: chat template, line 1: '{% raw %}' has no '{% endraw %}'");
  EXPECT_EQ(Lexed("{{ 99999999999999999999 }}"),
            "error: chat template, line 1: the integer 99999999999999999999 does not fit 64 bits");
  EXPECT_EQ(Lexed(R"({{ '\ud800' }})"),
            "error: chat template, line 1: the escape of 'd800' is no Unicode character");
}

TEST(Tokenize, CountsLinesThroughEveryKindOfNewline) {
  const auto tokens = Tokenize("a\r\nb\rc\n{{ x }}");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ((*tokens)[0].text, "a\nb\nc\n");
  EXPECT_EQ((*tokens)[2].line, 4);
}

}  // namespace
}  // namespace weft::jinja
