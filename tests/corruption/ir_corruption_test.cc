// The text form of the IR, of which a position is line and column.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "frontends/model_test_util.h"
#include "ir/op_examples.h"
#include "ir/text.h"
#include "runtime/abi/data_type.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/text_tokens.h"

namespace weft::corruption {
namespace {

// An error says "line:column: " first, within the text, whose file it does not know. What is
// accepted prints, and reads back the same: the text form's own rule of what a module is. Without a
// verdict it may be either.
void CheckModule(Tally& tally, const std::string& name, const std::string& text,
                 std::optional<Verdict> verdict) {
  const auto module = ir::Parse(text);
  if (module.ok()) {
    const std::string printed = ir::Print(*module);
    const auto again = ir::Parse(printed);
    EXPECT_TRUE(again.ok() && ir::Print(*again) == printed) << name;
  } else {
    const std::string message(module.status().message());
    int line = 0;
    int column = 0;
    EXPECT_EQ(std::sscanf(message.c_str(), "%d:%d: ", &line, &column), 2)
        << name << ": " << message;
    EXPECT_GE(line, 1) << name << ": " << message;
    EXPECT_LE(line, std::count(text.begin(), text.end(), '\n') + 1) << name << ": " << message;
    EXPECT_GE(column, 1) << name;
  }
  tally.Check(name, text.size(), module.status(),
              {.verdict = verdict.value_or(module.ok() ? Verdict::kValid : Verdict::kRefused),
               .offset = false});
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

TEST(IrCorruption, OneModuleWithEveryVerdict) {
  Tally tally("IR text");
  const std::string text = kModule;
  CheckModule(tally, "undamaged", text, Verdict::kValid);
  const size_t end = text.rfind('}');
  for (size_t size = 0; size < text.size(); ++size)
    CheckModule(tally, absl::StrCat("truncated to ", size), text.substr(0, size),
                size > end ? Verdict::kValid : Verdict::kRefused);
  const std::vector<std::string> wrong = WrongTokens();
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
        CheckModule(tally, absl::StrCat(token, " at ", at, " = ", other.substr(0, 20)), damaged,
                    std::nullopt);
        continue;
      }
      CheckModule(tally, absl::StrCat(token, " at ", at, " = ", other.substr(0, 20)), damaged,
                  Verdict::kRefused);
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
        CheckModule(tally, absl::StrCat(token, " at ", at, " = ", number), damaged,
                    is_free ? std::nullopt : std::optional(Verdict::kRefused));
      }
    }
  }
  // Once more of each line: numbers and names of tensors are given once.
  for (size_t begin = text.find('\n') + 1; begin < end; begin = text.find('\n', begin) + 1) {
    std::string damaged = text;
    damaged.insert(begin, text.substr(begin, text.find('\n', begin) + 1 - begin));
    CheckModule(tally, absl::StrCat("the line at ", begin, " twice"), damaged, Verdict::kRefused);
  }
}

struct NamedModule {
  std::string name;
  std::string text;
};

// One of every op.
std::vector<NamedModule> ModulesOfOps() {
  std::vector<NamedModule> modules;
  for (const ir::OpInfo& op : ir::AllOps())
    modules.push_back({std::string(op.name), ir::ExampleOf(op.op)});
  return modules;
}

// With those that the passes are tested with, without their comments.
std::vector<NamedModule> Modules() {
  std::vector<NamedModule> modules = ModulesOfOps();
  for (const auto& entry : std::filesystem::directory_iterator("tests/passes")) {
    if (entry.path().extension() != ".wir") continue;
    NamedModule module = {.name = entry.path().filename()};
    for (const absl::string_view line : absl::StrSplit(TextOf(entry.path()), '\n'))
      if (!absl::StartsWith(line, "//")) absl::StrAppend(&module.text, line, "\n");
    modules.push_back(std::move(module));
  }
  return modules;
}

// Any word or number of the lines that the op has for itself: an error with its place, or a module.
TEST(IrCorruption, WordsOfEveryOp) {
  Tally tally("IR text");
  for (const auto& [name, text] : ModulesOfOps()) {
    const size_t own = text.find("  %6 = ");
    ASSERT_NE(own, std::string::npos);
    for (const auto& [at, token] : TokensOf(text)) {
      if (at < own) continue;
      std::vector<std::string> others = WrongTokens();
      if (absl::ascii_isdigit(static_cast<unsigned char>(token.front())))
        for (const uint64_t number :
             HostileNumbers(std::strtoull(token.c_str(), nullptr, 10), 64, 256))
          others.insert(others.end(), {absl::StrCat(number), absl::StrCat("-", number)});
      for (const std::string& other : others) {
        if (other.size() > 1000) continue;  // in all places alike
        std::string damaged = text;
        damaged.replace(at, token.size(), other);
        CheckModule(tally, absl::StrCat(name, ": ", token, " at ", at, " = ", other), damaged,
                    std::nullopt);
      }
    }
  }
}

// The type of a value is what its operands give, and that of a weight is the tensor's.
TEST(IrCorruption, EveryTypeInThePlaceOfEvery) {
  std::vector<std::string> types;
#define WEFT_TYPE_NAME(id, name, ggml, values, bytes) types.push_back(name);
  WEFT_DATA_TYPES(WEFT_TYPE_NAME)
#undef WEFT_TYPE_NAME
  Tally tally("IR text");
  size_t words = 0;
  for (const auto& [name, text] : Modules()) {
    for (const auto& [at, token] : TokensOf(text)) {
      const bool is_type = std::ranges::find(types, token) != types.end() &&
                           absl::StartsWith(text.substr(at + token.size()), "[");
      if (!is_type) continue;
      ++words;
      const size_t line = text.rfind('\n', at) + 1;
      const std::string before = text.substr(line, at - line);
      // A tensor that no weight takes may be of any type whose blocks fit.
      bool is_free = false;
      if (absl::StrContains(before, "tensor \"")) {
        const size_t quote = before.find('"');
        const std::string tensor = before.substr(quote, before.find('"', quote + 1) + 1 - quote);
        is_free = !absl::StrContains(text, absl::StrCat("tensor=", tensor));
      }
      for (const std::string& type : types) {
        if (type == token) continue;
        std::string damaged = text;
        damaged.replace(at, token.size(), type);
        CheckModule(tally, absl::StrCat(name, ": ", token, " at ", at, " = ", type), damaged,
                    is_free ? std::nullopt : std::optional(Verdict::kRefused));
      }
    }
  }
  EXPECT_GT(words, 400U);
}

// Ops differ in how many operands and which attributes they take, or in the type that comes of
// them.
TEST(IrCorruption, EveryOpInThePlaceOfEvery) {
  const std::set<std::set<std::string>> alike = {{"add", "mul"}};
  Tally tally("IR text");
  for (const auto& [name, text] : Modules()) {
    for (const auto& [at, token] : TokensOf(text)) {
      if (!ir::ParseOp(token) || !absl::EndsWith(text.substr(0, at), " = ")) continue;
      for (const ir::OpInfo& op : ir::AllOps()) {
        const std::string other(op.name);
        if (other == token) continue;
        std::string damaged = text;
        damaged.replace(at, token.size(), other);
        CheckModule(tally, absl::StrCat(name, ": ", token, " at ", at, " = ", other), damaged,
                    alike.contains({token, other}) ? Verdict::kValid : Verdict::kRefused);
      }
    }
  }
}

// Values that no op takes for the attribute.
TEST(IrCorruption, Attributes) {
  const std::map<std::string, std::vector<std::string>> wrong = {
      {"name", {"\"\"", "\"ids\""}},
      {"tensor", {"\"\"", "\"no such\""}},
      {"rows",
       {"[]", "[0]", "[0, 8, 16]", "[24, 8]", "[8, 8]", "[-1, 8]", "[0, 9999]",
        "[0, 9223372036854775807]", "[-9223372036854775808, 8]"}},
      {"format", {"\"\"", "\"nonsense\"", "\"i8\"", "\"q4_0\"", "\"q8a\""}},
      {"layout", {"\"\"", "\"nonsense\"", "\"panels17\""}},
      {"context", {"0", "-1", "9223372036854775807"}},
      {"inv_freq", {"[]"}},
      {"group", {"0", "-1", "5", "128", "9223372036854775807"}},
      {"weights", {"0", "-1", "9", "9223372036854775807", "-9223372036854775808"}},
      {"inputs", {"0", "-1", "3", "9223372036854775807"}},
      {"epilogue",
       {"[\"nonsense\"]", "[\"\"]", "[\"quantize\", \"quantize\"]", "[\"gated_nonsense\"]",
        "[\"bias\", \"bias\", \"bias\"]"}},
      {"fn", {"\"\"", "\"relu\"", "\"gated_silu\""}},
      {"begin", {"-1", "9999", "9223372036854775807", "-9223372036854775808"}},
      {"end", {"-1", "0", "9999", "9223372036854775807"}},
      {"heads", {"0", "-1", "5", "9223372036854775807", "-9223372036854775808"}},
      {"layer", {"-1", "-9223372036854775808"}},
      {"cap", {"0.0", "-1.0", "nan"}},
      {"softcap", {"0.0", "-1.0", "nan"}},
      {"window", {"0", "-1", "-9223372036854775808"}},
  };
  Tally tally("IR text");
  std::set<std::string> met;
  for (const auto& [name, text] : Modules()) {
    for (const auto& [attribute, values] : wrong) {
      const std::string mark = attribute + "=";
      for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        if (text[at - 1] != '{' && text[at - 1] != ' ') continue;
        met.insert(attribute);
        const size_t begin = at + mark.size();
        size_t end = text.find_first_of(",}", begin);
        if (text[begin] == '[') end = text.find(']', begin) + 1;
        if (text[begin] == '"') end = text.find('"', begin + 1) + 1;
        for (const std::string& value : values) {
          std::string damaged = text;
          damaged.replace(begin, end - begin, value);
          CheckModule(tally, absl::StrCat(name, ": ", attribute, " at ", at, " = ", value), damaged,
                      Verdict::kRefused);
        }
      }
    }
  }
  EXPECT_EQ(met.size(), wrong.size());
}

}  // namespace
}  // namespace weft::corruption
