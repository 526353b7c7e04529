#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_interpreter.h"
#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

// Expressions as Interpreter evaluates them; that results equal Jinja's is chat_template_test's
// business.

std::string Out(absl::string_view expression) {
  const auto result =
      Render("{{ " + std::string(expression) + " }}", {{"x", 5}, {"d", {{"pop", 1}, {"f", "g"}}}});
  return result.ok() ? *result : "error: " + std::string(result.status().message());
}

TEST(Evaluator, StopsAtWhatDecides) {
  EXPECT_EQ(Out("false and 1 / 0"), "False");
  EXPECT_EQ(Out("x or 1 / 0"), "5");
  EXPECT_EQ(Out("1 > 2 > 1 / 0"), "False");
  EXPECT_EQ(Out("1 if true else 1 / 0"), "1");
}

TEST(Evaluator, UndefinedTellsItsName) {
  EXPECT_EQ(Out("nope"), "");
  EXPECT_EQ(Out("nope.x"), "error: chat template, line 1: 'nope' is undefined");
  EXPECT_EQ(Out("d.nope.x"), "error: chat template, line 1: 'dict' has no attribute 'nope'");
  EXPECT_EQ(Out("(1 if false).x"),
            "error: chat template, line 1: an inline 'if' without 'else' was false");
}

TEST(Evaluator, CallsSayWhyTheyCannot) {
  EXPECT_EQ(Out("x()"), "error: chat template, line 1: a value of type 'int' cannot be called");
  EXPECT_EQ(Out("[].append(1)"),
            "error: chat template, line 1: 'append' would change a 'list', which templates may "
            "not; use a namespace and '+'");
  EXPECT_EQ(Out("d.pop('f')"),
            "error: chat template, line 1: 'pop' would change a 'dict', which templates may not; "
            "use a namespace and '+'");
  EXPECT_EQ(Out("'a'.zfill(3)"),
            "error: chat template, line 1: the method 'zfill' of text is not supported");
  EXPECT_EQ(Out("range(*5)"),
            "error: chat template, line 1: a value of type 'int' cannot be iterated over");
  EXPECT_EQ(
      Out("dict(**5)"),
      "error: chat template, line 1: a value of type 'int' cannot follow '**', which needs a dict");
  EXPECT_EQ(Out("dict(**{1: 2})"),
            "error: chat template, line 1: a value of type 'int' cannot name an argument");
}

}  // namespace
}  // namespace weft::jinja
