#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op_examples.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft::ir {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();

// Values of each kind that are easily lost on the way through text.
std::vector<AttrValue> HardValues(AttrKind kind) {
  const std::vector<double> floats = {0.0,
                                      -0.0,
                                      1.0,
                                      0.1,
                                      1.0 / 3,
                                      1e23,
                                      -1e-7,
                                      123456789012345680.0,
                                      kInf,
                                      -kInf,
                                      std::numeric_limits<double>::quiet_NaN(),
                                      std::numeric_limits<double>::max(),
                                      std::numeric_limits<double>::lowest(),
                                      std::numeric_limits<double>::min(),
                                      std::numeric_limits<double>::denorm_min(),
                                      std::nextafter(1.0, 2.0),
                                      static_cast<double>(std::numeric_limits<float>::min())};
  std::vector<std::string> strings = {"",
                                      " ",
                                      "plain",
                                      "\"",
                                      "\\",
                                      "\\\"",
                                      "\\n",
                                      "a\nb\r\t\v\f\a\b",
                                      "'?",
                                      "// no comment",
                                      "}",
                                      "%0",
                                      "▁Ġ é 😀",
                                      "\xff\xfe\x80",
                                      "\0011",
                                      "\x7f",
                                      "\xc3",
                                      std::string("nul\0nul", 7),
                                      std::string(5000, 'x')};
  for (int byte = 0; byte < 256; ++byte) {
    strings.push_back(std::string(1, static_cast<char>(byte)) + "0");
  }
  std::vector<AttrValue> values;
  switch (kind) {
    case AttrKind::kBool:
      return {true, false};
    case AttrKind::kInt:
      return {int64_t{0}, int64_t{-1}, kMaxInt, kMinInt};
    case AttrKind::kFloat:
      values.assign(floats.begin(), floats.end());
      return values;
    case AttrKind::kString:
      values.assign(strings.begin(), strings.end());
      return values;
    case AttrKind::kInts:
      return {std::vector<int64_t>{}, std::vector<int64_t>{0},
              std::vector<int64_t>{kMinInt, kMaxInt}};
    case AttrKind::kFloats:
      return {std::vector<double>{}, std::vector<double>{0.5}, floats};
    case AttrKind::kStrings:
      return {std::vector<std::string>{}, std::vector<std::string>{""}, strings};
  }
  return {};
}

// Bit for bit, so that nan equals nan and 0 is not -0.
bool Same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool Same(const AttrValue& a, const AttrValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* value = std::get_if<double>(&a)) return Same(*value, std::get<double>(b));
  if (const auto* values = std::get_if<std::vector<double>>(&a)) {
    const auto& others = std::get<std::vector<double>>(b);
    return std::equal(values->begin(), values->end(), others.begin(), others.end(),
                      [](double x, double y) { return Same(x, y); });
  }
  return a == b;
}

TEST(ParserTest, RoundTripsEveryAttributeWithHardValues) {
  for (const AttrInfo& info : AllAttrs()) {
    for (const AttrValue& value : HardValues(info.kind)) {
      Module module;
      Node node{.op = Op::kInput, .type = {DataType::kI32, {Symbol::kTokens}}};
      node.Set(info.attr, value);
      module.outputs = {module.Append(std::move(node))};
      const std::string text = Print(module);
      const absl::StatusOr<Module> parsed = ParseWithoutVerifying(text);
      ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
      EXPECT_TRUE(Same(parsed->node(0).attrs.at(0).second, value)) << text;
      EXPECT_EQ(Print(*parsed), text);
    }
  }
}

TEST(ParserTest, RoundTripsNames) {
  for (const AttrValue& value : HardValues(AttrKind::kString)) {
    const std::string& name = std::get<std::string>(value);
    Module module;
    module.name = name;
    module.AddTensor({.name = name});
    module.outputs = {module.Append({.op = Op::kInput, .location = name})};
    const absl::StatusOr<Module> parsed = ParseWithoutVerifying(Print(module));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->name, name);
    EXPECT_EQ(parsed->tensors.at(0).name, name);
    EXPECT_EQ(parsed->node(0).location, name);
  }
}

TEST(ParserTest, RoundTripsEveryElementTypeAndLayout) {
  const DataType types[] = {
#define WEFT_ENUM(id, name, ggml, values, bytes) DataType::id,
      WEFT_DATA_TYPES(WEFT_ENUM)
#undef WEFT_ENUM
  };
  for (DataType dtype : types) {
    for (Layout layout : kLayouts) {
      Module module;
      const Type type{
          dtype, {Symbol::kTokens, Symbol::kLogitRows, Symbol::kCached, 0, 256}, layout};
      module.AddTensor({.name = "t",
                        .dtype = dtype,
                        .dims = {3, 256},
                        .file = 7,
                        .offset = 9,
                        .bytes = *TensorBytes(dtype, {3, 256})});
      module.outputs = {module.Append({.op = Op::kInput, .type = type})};
      const absl::StatusOr<Module> parsed = ParseWithoutVerifying(Print(module));
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      EXPECT_EQ(parsed->node(0).type, type);
      EXPECT_EQ(parsed->tensors, module.tensors);
    }
  }
}

TEST(ParserTest, TakesCommentsSpaceAndNumbersOfAnyOrder) {
  const absl::StatusOr<Module> module = Parse(
      "// a dump\nmodule\"m\"{%70=input{name=\"tokens\"}:i32[T]// ids\n\t%7 =input { name\t= "
      "\"positions\" } : i32 [ T ] @\"p\"return %7 , %70 , %7}//");
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(Print(*module), R"(module "m" {
  %0 = input {name="tokens"} : i32[T]
  %1 = input {name="positions"} : i32[T] @ "p"
  return %1, %0, %1
}
)");
}

struct BadText {
  const char* text;
  const char* error;
};

TEST(ParserTest, ErrorsGiveLineColumnAndExpectation) {
  const BadText cases[] = {
      {"", "1:1: expected 'module', found the end"},
      {" \n // nothing", "2:12: expected 'module', found the end"},
      {"modules \"m\" {", "1:1: expected 'module', found 'modules \"m\" {'"},
      {"module m {", "1:8: expected a quoted string, found 'm {'"},
      {"module \"m", "1:8: expected a string with a closing quote, found '\"m'"},
      {"module \"m\\\" {\n\"", "1:8: expected a string with a closing quote, found '\"m\\\" {'"},
      {"module \"\\q\" {", "1:8: expected a string with C escapes, found '\"\\q\" {'"},
      {"module \"\\777\" {", "1:8: expected a string with C escapes, found '\"\\777\" {'"},
      {"module \"m\"\n", "2:1: expected '{', found the end"},
      {"module \"m\" {\n  }", "2:3: expected 'return', found '}'"},
      {"module \"m\" {\n  return }", "2:10: expected a value, %n, found '}'"},
      {"module \"m\" {\n  return %x }", "2:11: expected a number after %, found 'x }'"},
      {"module \"m\" {\n  return %0 }",
       "2:10: expected a value that is defined before its use, found '%0 }'"},
      {"module \"m\" {\n  return %99999999999999999999 }", "2:11: expected a number after %"},
      {"module \"m\" {\n  %0 input", "2:6: expected '=', found 'input'"},
      {"module \"m\" {\n  %0 = inputs", "2:8: expected an op's name, found 'inputs'"},
      {"module \"m\" {\n  %0 = input {name=\"tokens\"}\n}", "3:1: expected ':', found '}'"},
      {"module \"m\" {\n  %0 = input {nam=\"tokens\"}",
       "2:15: expected an attribute's name, found 'nam=\"tokens\"}'"},
      {"module \"m\" {\n  %0 = input {}", "2:15: expected an attribute's name, found '}'"},
      {"module \"m\" {\n  %0 = input {name: 1}", "2:19: expected '=', found ': 1}'"},
      {"module \"m\" {\n  %0 = input {name=1}", "2:20: expected a quoted string, found '1}'"},
      {"module \"m\" {\n  %0 = input {name=\"a\" units=1}", "2:24: expected '}', found 'units=1}'"},
      {"module \"m\" {\n  %0 = input {name=\"a\", name=\"b\"}",
       "2:25: expected an attribute that is not set already, found 'name=\"b\"}'"},
      {"module \"m\" {\n  %0 = input {units=x}", "2:21: expected an integer, found 'x}'"},
      {"module \"m\" {\n  %0 = input {units=9223372036854775808}",
       "2:21: expected an integer, found '9223372036854775808}'"},
      {"module \"m\" {\n  %0 = input {units=1.5}", "2:22: expected '}', found '.5}'"},
      {"module \"m\" {\n  %0 = input {scale=x}", "2:21: expected a float, found 'x}'"},
      {"module \"m\" {\n  %0 = input {scale=1e999}", "2:21: expected a float, found '1e999}'"},
      {"module \"m\" {\n  %0 = input {view=yes}", "2:20: expected true or false, found 'yes}'"},
      {"module \"m\" {\n  %0 = input {rows=1}", "2:20: expected '[', found '1}'"},
      {"module \"m\" {\n  %0 = input {rows=[1 2]}", "2:23: expected ']', found '2]}'"},
      {"module \"m\" {\n  %0 = input {rows=[1,]}", "2:23: expected an integer, found ']}'"},
      {"module \"m\" {\n  %0 = input {epilogue=[bias]}",
       "2:25: expected a quoted string, found 'bias]}'"},
      {"module \"m\" {\n  %0 = input : i33[T]", "2:16: expected an element type, found 'i33[T]'"},
      {"module \"m\" {\n  %0 = input : i32(T)", "2:19: expected '[', found '(T)'"},
      {"module \"m\" {\n  %0 = input : i32[t]",
       "2:20: expected a dim: a number, T, L or S, found 't]'"},
      {"module \"m\" {\n  %0 = input : i32[T,]",
       "2:22: expected a dim: a number, T, L or S, found ']'"},
      {"module \"m\" {\n  %0 = input : i32[TL]", "2:21: expected ']', found 'L]'"},
      {"module \"m\" {\n  %0 = input : i32[99999999999999999999]", "2:20: expected a dim"},
      {"module \"m\" {\n  %0 = input : i32[T]{panels8}",
       "2:23: expected a layout: rows or panels16 or panels16x2, found 'panels8}'"},
      {"module \"m\" {\n  %0 = input : i32[T] @ here",
       "2:25: expected a quoted string, found 'here'"},
      {"module \"m\" {\n  %1 = input : i32[T]\n  %1 = input : i32[T]",
       "3:3: expected a new value (%1 is defined twice), found '%1 = input : i32[T]'"},
      {"module \"m\" {\n  %0 = add %1, %0 : i32[T]",
       "2:12: expected a value that is defined before its use, found '%1, %0 : i32[T]'"},
      {"module \"m\" {\n  %0 = input : i32[T]\n  return %0,\n}",
       "4:1: expected a value, %n, found '}'"},
      {"module \"m\" {\n  %0 = input : i32[T]\n  return %0\n", "4:1: expected '}', found the end"},
      {"module \"m\" {\n  %0 = input : i32[T]\n  return %0\n} x",
       "4:3: expected the end of the text, found 'x'"},
      {"module \"m\" {\n  tensor t", "2:10: expected a quoted string, found 't'"},
      {"module \"m\" {\n  tensor \"t\" f32", "2:14: expected ':', found 'f32'"},
      {"module \"m\" {\n  tensor \"t\" : f32[T] {",
       "2:16: expected dims that are numbers, found 'f32[T] {'"},
      {"module \"m\" {\n  tensor \"t\" : f32[4]{panels16} {",
       "2:16: expected a tensor in rows, found 'f32[4]{panels16} {'"},
      {"module \"m\" {\n  tensor \"t\" : f32[-4] {",
       "2:16: expected the type of a tensor (a dim is -4, below 0), found 'f32[-4] {'"},
      {"module \"m\" {\n  tensor \"t\" : f32[1000000000,1000000000] {",
       "2:16: expected the type of a tensor (more than 281474976710656 values), found"},
      {"module \"m\" {\n  tensor \"t\" : q8_0[48] {",
       "2:16: expected the type of a tensor (the last dim is no multiple of 32, the block of "
       "q8_0), found"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {fil=0}", "2:24: expected 'file', found 'fil=0}'"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {file=-1,",
       "2:29: expected a file number, found '-1,'"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {file=2147483648,",
       "2:29: expected a file number, found"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {file=0 offset",
       "2:31: expected ',', found 'offset'"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {file=0, offset=-1}",
       "2:39: expected an offset, found '-1}'"},
      {"module \"m\" {\n  tensor \"t\" : f32[4] {file=0, offset=18446744073709551616}",
       "2:39: expected an offset, found"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(std::string(ParseWithoutVerifying(text).status().message()), StartsWith(error));
    EXPECT_EQ(Parse(text).status(), ParseWithoutVerifying(text).status());
  }
}

TEST(ParserTest, ANulByteIsNotTheEnd) {
  const std::string text = ExampleOf(Op::kInput) + std::string("\0%", 2);
  EXPECT_THAT(Parse(text).status().message(), HasSubstr("expected the end of the text"));
}

TEST(ParserTest, VerifiesByDefaultAndTellsWhere) {
  const std::string text = ExampleModule("%6 = add %3, %4 : f32[T,63]");
  EXPECT_TRUE(ParseWithoutVerifying(text).ok());
  // Behind the line of the module, six tensors and six nodes.
  EXPECT_EQ(
      Parse(text).status().message(),
      "14:3: '%6 = add %3, %4 : f32[T,63]': has type f32[T,63], but its operands give f32[T,64]");
  EXPECT_EQ(Parse("module \"m\" { tensor \"t\" : f32[4] {file=0, offset=18446744073709551615} %0 = "
                  "input {name=\"tokens\"} : i32[T] return %0 }")
                .status()
                .message(),
            "1:14: tensor 't': ends beyond 2^64 bytes");
  EXPECT_EQ(Parse("module \"m\" {\n  tensor \"t\" : f32[4] {file=0, offset=0}\n"
                  " tensor \"t\" : f32[4] {file=0, offset=0}\n"
                  "%0 = input {name=\"tokens\"} : i32[T] return %0 }")
                .status()
                .message(),
            "3:2: tensor 't' is declared twice");
}

// Whatever a text holds: an error with a place or a module that prints, and prints the same again.
void ExpectSound(const std::string& text) {
  const absl::StatusOr<Module> module = ParseWithoutVerifying(text);
  if (!module.ok()) {
    EXPECT_THAT(std::string(module.status().message().substr(0, 20)),
                MatchesRegex("[0-9]+:[0-9]+: expected(.|\n)*"));
    return;
  }
  const std::string printed = Print(*module);
  const absl::StatusOr<Module> again = ParseWithoutVerifying(printed);
  ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed;
  EXPECT_EQ(Print(*again), printed);
  const absl::Status status = Verify(*module);
  EXPECT_EQ(Parse(text).ok(), status.ok());
  EXPECT_FALSE(PrintJson(*module).empty());
}

TEST(ParserFuzzTest, EveryPrefixOfEveryExampleIsAnError) {
  for (const OpInfo& info : AllOps()) {
    const std::string text = ExampleOf(info.op);
    const size_t whole = text.rfind('}') + 1;
    for (size_t size = 0; size < whole; ++size) {
      const absl::StatusOr<Module> module = Parse(text.substr(0, size));
      ASSERT_FALSE(module.ok()) << text.substr(0, size);
      EXPECT_THAT(module.status().message(), HasSubstr(": expected ")) << size;
    }
    EXPECT_TRUE(Parse(text.substr(0, whole)).ok());
  }
}

// Bytes and numbers that a parser trips over.
std::string Mutate(std::string text, std::mt19937* random) {
  static constexpr const char* kPieces[] = {"-1",
                                            "9223372036854775807",
                                            "-9223372036854775808",
                                            "18446744073709551615",
                                            "1000000000",
                                            "0",
                                            "nan",
                                            "-inf",
                                            "1e308",
                                            "\"",
                                            "\\",
                                            "%",
                                            "%0",
                                            "[",
                                            "]",
                                            "{",
                                            "}",
                                            ",",
                                            ":",
                                            "@",
                                            "T",
                                            "L",
                                            "S",
                                            "//",
                                            "\n",
                                            "true",
                                            "panels16",
                                            "rows=",
                                            "tensor ",
                                            "return ",
                                            "q8_0",
                                            "\xff",
                                            "\xe2\x96\x81"};
  const auto below = [random](size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(*random);
  };
  for (size_t edits = 1 + below(3); edits > 0; --edits) {
    const size_t at = below(text.size());
    const size_t size = std::min(text.size() - at, 1 + below(12));
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, size);
        break;
      case 2:
        text.insert(at, text.substr(below(text.size()), size));
        break;
      case 3:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      case 4: {  // another number for one that stands there
        const size_t digit = text.find_first_of("0123456789", at);
        if (digit == std::string::npos) break;
        const size_t end = std::min(text.find_first_not_of("0123456789", digit), text.size());
        text.replace(digit, end - digit, kPieces[below(6)]);
        break;
      }
      default: {  // a line moves or doubles
        std::vector<std::string> lines = absl::StrSplit(text, '\n');
        const std::string line = lines[below(lines.size())];
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size())), line);
        text = absl::StrJoin(lines, "\n");
      }
    }
    if (text.empty()) text = "m";
  }
  return text;
}

TEST(ParserFuzzTest, MutatedTextNeverCrashes) {
  std::mt19937 random(20240229);
  int legal = 0;
  for (int round = 0; round < 400; ++round) {
    for (const OpInfo& info : AllOps()) {
      const std::string text = Mutate(ExampleOf(info.op), &random);
      ExpectSound(text);
      legal += Parse(text).ok() ? 1 : 0;
    }
  }
  EXPECT_GT(legal, 100);  // enough mutants live on to try what follows the parser
}

TEST(ParserFuzzTest, LongTextIsNoDeepText) {
  std::string lines = "%6 = add %3, %4 : f32[T,64]";
  for (int id = 7; id < 20000; ++id) {
    absl::StrAppend(&lines, "\n%", id, " = add %", id - 1, ", %4 : f32[T,64]");
  }
  EXPECT_TRUE(Parse(ExampleModule(lines)).ok());
  EXPECT_FALSE(Parse("module \"m\" {" + std::string(1000000, '{')).ok());
  EXPECT_FALSE(Parse("module \"m\" { %0 = input {rows=" + std::string(1000000, '[')).ok());
  EXPECT_FALSE(Parse(std::string(1000000, '\n')).ok());
}

}  // namespace
}  // namespace weft::ir
