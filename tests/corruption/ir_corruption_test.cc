// The text form of the IR and chat templates: texts, of which a position is the line.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/model_test_util.h"
#include "ir/text.h"
#include "runtime/text/jinja_template.h"
#include "tests/corruption/corruption.h"

namespace weft::corruption {
namespace {

bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Words, numbers and single signs, with where they begin.
std::vector<std::pair<size_t, std::string>> TokensOf(const std::string& text) {
  std::vector<std::pair<size_t, std::string>> tokens;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (IsWord(text[i]))
      while (end < text.size() && (IsWord(text[end]) || text[end] == '.')) ++end;
    if (text[i] == '"') end = std::min(text.find('"', i + 1), text.size() - 1) + 1;
    if (!absl::ascii_isspace(static_cast<unsigned char>(text[i])))
      tokens.emplace_back(i, text.substr(i, end - i));
    i = end;
  }
  return tokens;
}

// An error says "line:column: " first, within the text. What is accepted prints, and reads back the
// same: the text form's own rule of what a module is.
void CheckModule(Tally& tally, const std::string& name, const std::string& text,
                 Expectation expected) {
  const auto module = ir::Parse(text);
  if (module.ok()) {
    const std::string printed = ir::Print(*module);
    const auto again = ir::Parse(printed);
    EXPECT_TRUE(again.ok() && ir::Print(*again) == printed) << name;
    EXPECT_EQ(expected.verdict, Verdict::kValid) << name;
    expected.verdict = Verdict::kValid;
  } else {
    const std::string message(module.status().message());
    int line = 0;
    int column = 0;
    EXPECT_EQ(std::sscanf(message.c_str(), "%d:%d: ", &line, &column), 2)
        << name << ": " << message;
    EXPECT_LE(line, std::count(text.begin(), text.end(), '\n') + 1) << name << ": " << message;
    EXPECT_GE(column, 1) << name;
    EXPECT_EQ(expected.verdict, Verdict::kRefused) << name << ": " << message;
    expected = {.offset = false};
  }
  tally.Check(name, text.size(), module.status(), expected);
}

const char* const kModule = R"(module "m" {
  tensor "emb" : f32[8,6] {file=0, offset=0}
  tensor "w" : f32[4,6] {file=0, offset=192}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f32[8,6] @ "emb"
  %2 = embed %0, %1 : f32[T,6] @ "emb"
  %3 = weight {tensor="w", rows=[0, 2]} : f32[2,6] @ "rows"
  %4 = matmul %2, %3 : f32[T,2] @ "a"
  %5 = slice %4 {begin=0, end=1} : f32[T,1] @ "cut"
  %6 = scale %5 {value=0.5} : f32[T,1] @ "half"
  return %6
}
)";

TEST(TextCorruption, Ir) {
  Tally tally("IR text", "");
  const std::string text = kModule;
  CheckModule(tally, "undamaged", text, {.verdict = Verdict::kValid});
  const size_t end = text.rfind('}');
  for (size_t size = 0; size < text.size(); ++size)
    CheckModule(tally, absl::StrCat("truncated to ", size), text.substr(0, size),
                {.verdict = size > end ? Verdict::kValid : Verdict::kRefused});
  const std::vector<std::string> wrong = {"",
                                          "nonsense",
                                          "\"text\"",
                                          "18446744073709551616",
                                          "99999999999999999999999999",
                                          "1e999",
                                          "-",
                                          "%",
                                          "%99",
                                          "%18446744073709551615",
                                          "[",
                                          "]",
                                          "{",
                                          "}",
                                          "\xff",
                                          std::string("\0", 1),
                                          "\"",
                                          "nan",
                                          "f32[",
                                          std::string(100'000, '['),
                                          std::string(100'000, '{'),
                                          std::string(100'000, '('),
                                          "%-1",
                                          "@@",
                                          "..",
                                          "\\",
                                          "'"};
  for (const auto& [at, token] : TokensOf(text)) {
    for (const std::string& other : wrong) {
      // Where any text may stand, another is as good; where there is one bracket, two may close.
      const bool is_text = token.front() == '"' && other == "\"text\"";
      std::string damaged = text;
      damaged.replace(at, token.size(), other);
      const bool is_name = token.front() == '"';
      const bool same = damaged == text;
      // A factor may be any number, and none.
      const bool is_factor =
          token == "0.5" && (other == "nan" || other.find("99") == 0 || other.find("18") == 0);
      if (is_text || is_name || same || is_factor || (token == "0" && other == "-")) {
        const auto module = ir::Parse(damaged);  // by its own rule alone
        CheckModule(tally, absl::StrCat(token, " at ", at, " = ", other.substr(0, 20)), damaged,
                    {.verdict = module.ok() ? Verdict::kValid : Verdict::kRefused});
        continue;
      }
      CheckModule(tally, absl::StrCat(token, " at ", at, " = ", other.substr(0, 20)), damaged, {});
    }
    if (absl::ascii_isdigit(static_cast<unsigned char>(token.front()))) {
      for (const uint64_t number :
           HostileNumbers(std::strtoull(token.c_str(), nullptr, 10), 64, 256)) {
        std::string damaged = text;
        damaged.replace(at, token.size(), absl::StrCat(number));
        // Where in which file a tensor lies is for the file's reader to check, a factor may be any,
        // and of the nodes there are some that fit in the place of another; all else is checked
        // against the rest.
        const std::string before =
            text.substr(at - std::min<size_t>(at, 8), std::min<size_t>(at, 8));
        const bool is_free = absl::EndsWith(before, "file=") || absl::EndsWith(before, "offset=") ||
                             absl::EndsWith(before, "value=") ||
                             (absl::EndsWith(before, "%") && number < 7) ||
                             // Of whose rows two are taken.
                             (at == text.find("[4,6]") + 1 && number >= 2);
        const auto module = ir::Parse(damaged);
        CheckModule(tally, absl::StrCat(token, " at ", at, " = ", number), damaged,
                    {.verdict = is_free && module.ok() ? Verdict::kValid : Verdict::kRefused});
      }
    }
  }
  // Once more of each line: numbers and names of tensors are given once.
  for (size_t begin = text.find('\n') + 1; begin < end; begin = text.find('\n', begin) + 1) {
    std::string damaged = text;
    damaged.insert(begin, text.substr(begin, text.find('\n', begin) + 1 - begin));
    CheckModule(tally, absl::StrCat("the line at ", begin, " twice"), damaged, {});
  }
}

TEST(TextCorruption, ChatTemplates) {
  // A template may be any text that is well-formed: whether it is, its own grammar says. What is
  // asked is an error with a line, or a rendering, and neither crash nor hang.
  Tally tally("chat template", "");
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
    EXPECT_TRUE(valid || absl::StrContains(status.message(), "line ") ||
                absl::StrContains(text, status.message()))
        << name << ": " << status;
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
  // What opens and does not close is no template, by the grammar.
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
    tally.Check(text, 100, jinja::Template::Parse(text).status(),
                {.words = {"line "}, .offset = false});
}

}  // namespace
}  // namespace weft::corruption
