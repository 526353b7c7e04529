#include "runtime/text/jinja_interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

std::string Out(absl::string_view source) {
  const auto result = Render(source);
  return result.ok() ? *result : "error: " + std::string(result.status().message());
}

// That results equal Jinja's is chat_template_test's business; here is what can go wrong with
// lifetimes and recursion.

TEST(Interpreter, MacrosOutliveTheirScope) {
  EXPECT_EQ(Out("{% set n = namespace() %}{% for i in [1, 2] %}{% macro m(x) %}{{ i }}{{ x }}{% "
                "endmacro %}{% set n.m = m %}{% endfor %}{{ n.m('x') }}"),
            "2x");
  EXPECT_EQ(Out("{% macro outer() %}{% macro inner() %}{{ x }}{% endmacro %}{% set x = 1 %}{% set "
                "n.f = inner %}{% endmacro %}{% set n = namespace() %}{{ outer() }}{{ n.f() }}"),
            "1");
}

TEST(Interpreter, LoopVariablesOutliveTheirLoop) {
  EXPECT_EQ(Out("{% set n = namespace() %}{% for i in [1] %}{% set k = 1 %}{% for x in [1, 5, 0, "
                "7] if x > k %}{% set n.l = loop %}{% break %}{% endfor %}{% endfor %}{{ n.l.index "
                "}}{{ n.l.last }}{{ n.l.length }}{{ n.l.nextitem }}"),
            "1False27");
  EXPECT_EQ(Out("{% set n = namespace() %}{% for x in [1, 2] %}{% set n.c = loop.cycle %}{% endfor "
                "%}{{ n.c('a', 'b') }}"),
            "b");
}

TEST(Interpreter, CyclesThroughNamespacesAreFreed) {
  EXPECT_EQ(Out("{% set n = namespace() %}{% set n.n = [n] %}{% macro m() %}{{ n }}{% endmacro "
                "%}{% set n.m = m %}{% for x in [n] %}{% set n.l = loop %}{% endfor %}ok"),
            "ok");
}

TEST(Interpreter, RecursionIsBounded) {
  EXPECT_EQ(Render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Render("{% macro m(x) %}{{ m([x]|map('string')|first) }}{% endmacro %}{{ m(1) }}")
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      Render("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}")
          .status()
          .code(),
      absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      Render(
          "{% set n = namespace() %}{% macro f(x=n.g()) %}{% endmacro %}{% set n.g = f %}{{ f() }}")
          .status()
          .code(),
      absl::StatusCode::kResourceExhausted);
}

TEST(Interpreter, ErrorsTellTheInnermostLine) {
  EXPECT_EQ(Out("{% if true %}\n{% for x in [1] %}\n{{ x.y.z }}\n{% endfor %}{% endif %}"),
            "error: chat template, line 3: 'int' has no attribute 'y'");
  EXPECT_EQ(Out("{% macro m() %}\n\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}"),
            "error: chat template, line 3: division by zero");
}

TEST(Interpreter, MacrosRefuseWhatTheyDoNotTake) {
  EXPECT_EQ(Out("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}"),
            "error: chat template, line 1: macro 'm' takes at most 1 arguments, not 2");
  EXPECT_EQ(Out("{% macro m(a) %}{% endmacro %}{{ m(b=2) }}"),
            "error: chat template, line 1: macro 'm' has no parameter 'b'");
}

TEST(Interpreter, AnArgumentCanBeGivenOnce) {
  EXPECT_EQ(Render("{% macro m(a) %}{{ kwargs }}{% endmacro %}{{ m(b=1, **{'b': 2}) }}")
                .status()
                .message(),
            "chat template, line 1: macro 'm' got argument 'b' more than once");
}

}  // namespace
}  // namespace weft::jinja
