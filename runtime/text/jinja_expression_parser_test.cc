#include "runtime/text/jinja_expression_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

// The expression with brackets around each operation.
std::string Show(const Expr& e) {
  auto operand = [&](size_t i) { return e.operands[i] == nullptr ? "_" : Show(*e.operands[i]); };
  auto joined = [&](const std::string& name) {
    std::string out = "(" + name;
    for (size_t i = 0; i < e.operands.size(); ++i) out.append(" ").append(operand(i));
    return out + ")";
  };
  switch (e.kind) {
    case ExprKind::kLiteral:
      return e.literal.is_int() ? std::to_string(e.literal.AsInt())
                                : "'" + (e.literal.is_string() ? e.literal.AsString() : "?") + "'";
    case ExprKind::kName:
      return e.name;
    case ExprKind::kBinary:
      return joined(std::string(1, "+-*/\\%^"[int(e.binary)]));
    case ExprKind::kCompare:
      return joined("cmp");
    case ExprKind::kConcat:
      return joined("~");
    case ExprKind::kAnd:
      return joined("and");
    case ExprKind::kOr:
      return joined("or");
    case ExprKind::kNot:
      return joined("not");
    case ExprKind::kNegate:
      return joined("neg");
    case ExprKind::kPositive:
      return joined("pos");
    case ExprKind::kConditional:
      return joined("if");
    case ExprKind::kFilter:
      return joined("|" + e.name);
    case ExprKind::kTest:
      return joined("is " + e.name);
    case ExprKind::kAttribute:
      return joined("." + e.name);
    case ExprKind::kSubscript:
      return joined("[]");
    case ExprKind::kSlice:
      return joined("[:]");
    case ExprKind::kCall:
      return joined("call");
    case ExprKind::kList:
      return joined("list");
    case ExprKind::kTuple:
      return joined("tuple");
    case ExprKind::kDict:
      return joined("dict");
  }
  return "?";
}

std::string Parsed(const std::string& text, int max_depth = 200) {
  absl::StatusOr<std::vector<Token>> tokens = Tokenize("{{ " + text + " }}");
  if (!tokens.ok()) return std::string(tokens.status().message());
  Limits limits;
  limits.syntax_depth = max_depth;
  ExpressionParser parser(*std::move(tokens), limits);
  parser.Next();
  const absl::StatusOr<ExprPtr> expr = parser.ParseTuple(true);
  if (!expr.ok()) return std::string(expr.status().message());
  return Show(**expr);
}

TEST(ExpressionParser, HasJinjasPrecedences) {
  EXPECT_EQ(Parsed("1 + 2 * 3 ~ 4"), "(+ 1 (~ (* 2 3) 4))");
  EXPECT_EQ(Parsed("2 ** 3 ** 2"), "(^ (^ 2 3) 2)");
  EXPECT_EQ(Parsed("-2 ** 2"), "(^ (neg 2) 2)");
  EXPECT_EQ(Parsed("not a in b and c or d"), "(or (and (not (cmp a b)) c) d)");
  EXPECT_EQ(Parsed("a < b == c"), "(cmp a b c)");
  EXPECT_EQ(Parsed("a if b else c if d else e"), "(if b a (if d c e))");
  EXPECT_EQ(Parsed("a + b|f|g"), "(+ a (|g (|f b)))");
  EXPECT_EQ(Parsed("a is not none and b"), "(and (not (is none a)) b)");
  EXPECT_EQ(Parsed("-a.b[0](1)|f"), "(|f (neg (call ([] (.b a) 0))))");
  EXPECT_EQ(Parsed("x.y.0[1:][::2]"), "([:] ([:] ([] (.y x) 0) 1 _ _) _ _ 2)");
  EXPECT_EQ(Parsed("1, (2,), [3, ], {4: 5, }"), "(tuple 1 (tuple 2) (list 3) (dict 4 5))");
  EXPECT_EQ(Parsed("a is divisibleby 3 and b"), "(and (is divisibleby a) b)");
  EXPECT_EQ(Parsed("'a' 'b'"), "'ab'");
}

TEST(ExpressionParser, RefusesDepth) {
  for (const std::string open : {"(", "[", "-", "not ", "a.b(", "{1: ", "a[", "a|f(", "1 if "}) {
    std::string text;
    for (int i = 0; i < 10000; ++i) text += open;
    EXPECT_FALSE(Parsed(text).empty());
  }
  for (const std::string link :
       {" + 1", ".x", "|f", " is defined is x", "[0]", "()", " or 1", " if 1"}) {
    std::string text = "1";
    for (int i = 0; i < 10000; ++i) text += link;
    EXPECT_THAT(Parsed(text), ::testing::AnyOf(::testing::HasSubstr("nested more than 200"),
                                               ::testing::HasSubstr("chained")));
  }
  EXPECT_EQ(Parsed("((((1))))", 20), "1");
  EXPECT_THAT(Parsed("((((((((1))))))))", 20), ::testing::HasSubstr("nested more than 20 deep"));
}

TEST(ExpressionParser, ErrorsTellWhatWasExpected) {
  EXPECT_EQ(Parsed("1 +"), "chat template, line 1: expected an expression, got '}}'");
  EXPECT_EQ(Parsed("f(a=1, 2)"),
            "chat template, line 1: a positional argument cannot follow a named one");
  EXPECT_EQ(Parsed("a.'b'"),
            "chat template, line 1: expected a name or a number after '.', got a string");
}

TEST(ExpressionParser, NotesTheNamesThatMacrosTreatSpecially) {
  ExpressionParser parser(*Tokenize("{{ caller() ~ kwargs }}"), Limits());
  parser.Next();
  ASSERT_TRUE(parser.ParseTuple(true).ok());
  EXPECT_TRUE(parser.special_names().caller);
  EXPECT_TRUE(parser.special_names().kwargs);
  EXPECT_FALSE(parser.special_names().varargs);
}

}  // namespace
}  // namespace weft::jinja
