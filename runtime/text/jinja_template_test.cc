#include "runtime/text/jinja_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;

TEST(Template, IsReusable) {
  const auto parsed = Template::Parse("{{ x }}{% set x = 2 %}");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed->Render({{"x", 1}}, std::tm()), "1");
  EXPECT_EQ(*parsed->Render({{"x", "y"}}, std::tm()), "y");
  EXPECT_FALSE(parsed->Render(nlohmann::ordered_json::array(), std::tm()).ok());
}

TEST(Template, LoopsEnd) {
  EXPECT_EQ(Render("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
                .status()
                .code(),
            kExhausted);
}

TEST(Template, OutputIsBounded) {
  Limits limits;
  limits.text_bytes = 1000;
  EXPECT_EQ(
      Render("{% for a in range(1001) %}x{% endfor %}", nlohmann::ordered_json::object(), limits)
          .status()
          .code(),
      kExhausted);
  EXPECT_EQ(Render("{% for a in range(501) %}{{ 'xx' }}{% endfor %}",
                   nlohmann::ordered_json::object(), limits)
                .status()
                .code(),
            kExhausted);
  EXPECT_TRUE(
      Render("{% for a in range(1000) %}x{% endfor %}", nlohmann::ordered_json::object(), limits)
          .ok());
}

TEST(Template, DoublingEnds) {
  for (absl::string_view grow : {"n.x ~ n.x", "n.x + n.x", "n.x * 2", "[n.x, n.x]|join",
                                 "n.x|replace('a', 'aa')", "'%s'|replace('%s', n.x ~ n.x)"}) {
    const std::string source =
        "{% set n = namespace(x='a') %}{% for i in range(99999) %}{% set n.x = " +
        std::string(grow) + " %}{% endfor %}";
    EXPECT_EQ(Render(source).status().code(), kExhausted) << grow;
  }
  for (absl::string_view grow :
       {"n.x + n.x", "n.x * 2", "[n.x, n.x]", "{'a': n.x}", "(n.x,)", "n.x|list + n.x|list"}) {
    const std::string source =
        "{% set n = namespace(x=['a']) %}{% for i in range(99999) %}{% set n.x = " +
        std::string(grow) + " %}{% endfor %}";
    EXPECT_EQ(Render(source).status().code(), kExhausted) << grow;
  }
}

TEST(Template, ComparingSharedListsEnds) {
  EXPECT_EQ(Render("{% set n = namespace(x=[1], y=[1]) %}{% for i in range(50) %}{% set n.x = "
                   "[n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}")
                .status()
                .code(),
            kExhausted);
}

TEST(Template, LongTextCostsSteps) {
  // 10^5 searches through 10 MB each.
  EXPECT_EQ(
      Render("{% set x = 'a' * 10000000 %}{% for i in range(99999) %}{{ 'b' in x }}{% endfor %}")
          .status()
          .code(),
      kExhausted);
}

TEST(Template, AThousandMessagesAreNoProblem) {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  for (int i = 0; i < 1000; ++i)
    messages.push_back(
        {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", std::string(1000, 'x')}});
  const auto result = Render(
      "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ "
      "raise_exception('order') }}{% endif %}"
      "{{ '<|' + m.role + '|>' + m.content|trim + '\\n' }}{% endfor %}",
      {{"messages", messages}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->size(), 1000000u);
}

// Whatever bytes a model file holds: a result or an error.
TEST(Template, AnyBytesAreSafe) {
  const std::vector<std::string> pieces = {
      "{%",    "%}",     "{{",     "}}",        "{#",    "#}",       "-",   "+",
      " ",     "\n",     "if",     "for",       "x",     "in",       "set", "=",
      "endif", "endfor", "else",   "macro",     "(",     ")",        "[",   "]",
      "{",     "}",      "'",      "\"",        "a",     "1",        ".",   "|",
      "upper", "map",    "is",     "not",       ",",     ":",        "*",   "**",
      "~",     "loop",   "raw",    "endraw",    "\xff",  "\xe2\x82", "é",   std::string(1, '\0'),
      "\\",    "call",   "filter", "namespace", "range", "99"};
  uint64_t state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string source;
    for (int i = 0; i < 24; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      source += pieces[(state >> 33) % pieces.size()];
      if ((state >> 60) < 8) source += ' ';
    }
    const auto result = Render(source, {{"x", {1, "a", nullptr}}, {"a", "text"}});
    EXPECT_TRUE(result.ok() || !result.status().message().empty());
  }
}

}  // namespace
}  // namespace weft::jinja
