// Chat templates: programs, whose own grammar says what one is. What is asked is an error with a
// line, or a rendering, and neither crash nor hang.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/model_test_util.h"
#include "runtime/text/jinja_template.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/text_tokens.h"

namespace weft::corruption {
namespace {

// Whether the message begins as errors of templates do, with a line of the text.
bool NamesLine(absl::string_view message, const std::string& text) {
  int line = 0;
  return std::sscanf(std::string(message).c_str(), "chat template, line %d: ", &line) == 1 &&
         line >= 1 && line <= std::count(text.begin(), text.end(), '\n') + 1;
}

TEST(ChatTemplateCorruption, WordsAndSigns) {
  Tally tally("chat template");
  const auto chat = nlohmann::json::parse(TextOf("tests/oracle/vectors/chat-templates.json"));
  auto variables = nlohmann::ordered_json::object();
  variables["messages"] = nlohmann::ordered_json::parse(
      R"([{"role": "system", "content": "be brief"}, {"role": "user", "content": "2 + 2?"}])");
  variables["add_generation_prompt"] = true;
  const std::tm now = {};
  const auto check = [&](const std::string& name, const std::string& text) {
    const auto parsed = jinja::Template::Parse(text);
    absl::Status status = parsed.status();
    if (parsed.ok()) status = parsed->Render(variables, now).status();
    const bool valid = status.ok();
    // What raise_exception says are the template's own words.
    const bool is_raised = !status.message().empty() &&
                           absl::StrContains(text, "raise_exception") &&
                           absl::StrContains(text, status.message());
    EXPECT_TRUE(valid || is_raised || NamesLine(status.message(), text)) << name << ": " << status;
    tally.Check(name, text.size(), status,
                {.verdict = valid ? Verdict::kValid : Verdict::kRefused, .offset = false});
  };
  for (const auto& family : chat["families"]) {
    const std::string text = family["template"].get<std::string>();
    const std::string name = family["name"].get<std::string>();
    const auto tokens = TokensOf(text);
    const size_t step = tokens.size() / 150 + 1;
    for (size_t i = 0; i < tokens.size(); i += step) {
      const auto& [at, token] = tokens[i];
      check(absl::StrCat(name, " cut at ", at), text.substr(0, at));
      for (const char* other : {"", "nonsense", "%}", "}}", "{%", "{{", "(", ")", "[", "]", "-",
                                "\xff", "18446744073709551616", "1e999", "endfor", "endif", "'"}) {
        std::string damaged = text;
        damaged.replace(at, token.size(), other);
        check(absl::StrCat(name, ": ", token, " at ", at, " = ", other), damaged);
      }
    }
  }
}

// What opens and does not close is no template, by the grammar.
TEST(ChatTemplateCorruption, WhatIsNoTemplate) {
  Tally tally("chat template");
  for (const char* text : {"{{",
                           "{%",
                           "{#",
                           "{{ a",
                           "{% if a %}",
                           "{% for a in b %}",
                           "{% macro a() %}",
                           "{% set a %}",
                           "{{ (a }}",
                           "{{ [a }}",
                           "{{ 'a }}",
                           "{% endif %}",
                           "{% endfor %}",
                           "{% else %}",
                           "{% if %}{% endif %}",
                           "{% for %}{% endfor %}",
                           "{% nonsense %}",
                           "{{ a.b. }}",
                           "{{ | b }}",
                           "{{ 1 + }}",
                           "{% for a in b %}{% endif %}",
                           "{{ a if }}"})
    tally.Check(text, 0, jinja::Template::Parse(text).status(),
                {.words = {"chat template, line 1: "}, .offset = false});
}

}  // namespace
}  // namespace weft::corruption
