#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/numeric/int128.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/safetensors.h"
#include "tests/corruption/corruption.h"

namespace weft::corruption {
namespace {

using nlohmann::json;

constexpr const char* kFile = "folder/m.safetensors";

// The header as text and where its values stand.
struct Token {
  std::string owner;  // the tensor, or "" of the header itself
  std::string kind;   // "dtype", "dim", "offset", "name", "metadata"
  size_t offset = 0;  // in the header
  size_t size = 0;
};

class Writer {
 public:
  void Raw(absl::string_view text) { absl::StrAppend(&header_, text); }
  void Value(const std::string& owner, const std::string& kind, const std::string& text) {
    tokens_.push_back({owner, kind, header_.size(), text.size()});
    header_ += text;
  }
  void Tensor(const std::string& name, const std::string& dtype, const std::vector<int>& shape,
              int begin, int end) {
    Raw(tokens_.empty() ? "{" : ",");
    Value(name, "name", "\"" + name + "\"");
    Raw(":{\"dtype\":");
    Value(name, "dtype", "\"" + dtype + "\"");
    Raw(",\"shape\":[");
    for (size_t i = 0; i < shape.size(); ++i) {
      Raw(i == 0 ? "" : ",");
      Value(name, "dim", std::to_string(shape[i]));
    }
    Raw("],\"data_offsets\":[");
    Value(name, "offset", std::to_string(begin));
    Raw(",");
    Value(name, "offset", std::to_string(end));
    Raw("]}");
  }
  std::string header_;
  std::vector<Token> tokens_;
};

std::string FileOf(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

// The reference implementation's rules (github.com/huggingface/safetensors, "Format"), read from a
// document instead of as a stream.
bool HasKeysOnce(absl::string_view text) {
  std::vector<std::set<std::string>> keys;
  bool once = true;
  const json ignored = json::parse(
      text.begin(), text.end(),
      [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key)
          once = once && keys.back().insert(value.get<std::string>()).second;
        return true;
      },
      /*allow_exceptions=*/false);
  return once;
}

bool IsSafetensors(absl::string_view file) {
  uint64_t length = 0;
  if (file.size() < sizeof length) return false;
  std::memcpy(&length, file.data(), sizeof length);
  if (length > 100'000'000 || length > file.size() - sizeof length) return false;
  const absl::string_view text = file.substr(sizeof length, length);
  const size_t data_bytes = file.size() - sizeof length - length;
  if (!absl::StartsWith(text, "{") || absl::StrContains(text, '\0') || !HasKeysOnce(text))
    return false;
  const json header = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return false;
  std::vector<std::pair<absl::uint128, absl::uint128>> ranges;
  for (const auto& [name, tensor] : header.items()) {
    if (!tensor.is_object()) return false;
    if (name == "__metadata__") {
      for (const json& value : tensor)
        if (!value.is_string()) return false;
      continue;
    }
    if (tensor.size() != 3 || !tensor.contains("dtype") || !tensor["dtype"].is_string() ||
        !tensor.contains("shape") || !tensor["shape"].is_array() ||
        !tensor.contains("data_offsets") || !tensor["data_offsets"].is_array() ||
        tensor["data_offsets"].size() != 2 || tensor["shape"].size() > 8)
      return false;
    const std::map<std::string, int> sizes = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2},
                                              {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1},
                                              {"U8", 1},  {"BOOL", 1}};
    const auto size = sizes.find(tensor["dtype"].get<std::string>());
    if (size == sizes.end()) return false;
    absl::uint128 values = 1;
    bool is_empty = false;
    for (const json& dim : tensor["shape"]) {
      if (!dim.is_number_unsigned()) return false;
      const auto number = dim.get<uint64_t>();
      is_empty = is_empty || number == 0;
      if (number > 0) values *= number;
      if ((number >> 63) != 0 || (values >> 63) != 0) return false;
    }
    const absl::uint128 bytes = is_empty ? 0 : values * size->second;
    for (const json& offset : tensor["data_offsets"])
      if (!offset.is_number_unsigned()) return false;
    const absl::uint128 begin = tensor["data_offsets"][0].get<uint64_t>();
    const absl::uint128 end = tensor["data_offsets"][1].get<uint64_t>();
    if (end < begin || end - begin != bytes || end > data_bytes || (bytes >> 63) != 0) return false;
    ranges.emplace_back(begin, end);
  }
  std::sort(ranges.begin(), ranges.end());
  absl::uint128 covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) return false;
    covered = end;
  }
  return covered == data_bytes;
}

class SafetensorsCorruption : public testing::Test {
 protected:
  SafetensorsCorruption() {
    writer_.Tensor("a.weight", "F32", {2, 3}, 0, 24);
    writer_.Tensor("b", "BF16", {}, 24, 26);
    writer_.Raw(",\"__metadata__\":{\"format\":");
    writer_.Value("__metadata__", "metadata", "\"pt\"");
    writer_.Raw(",\"other\":");
    writer_.Value("__metadata__", "metadata", "\"x\"");
    writer_.Raw("}");
    writer_.Tensor("c", "I64", {1, 0}, 26, 26);
    writer_.Tensor("d", "U8", {7}, 26, 33);
    writer_.Raw("}  ");
    file_ = FileOf(writer_.header_, data_);
  }
  void Check(const std::string& name, const std::string& file,
             const std::vector<std::string>& words = {}) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(file.data());
    const auto outcome =
        ParseSafetensorsHeader(absl::MakeConstSpan(bytes, file.size()), kFile, 0).status();
    tally_.Check(name, file.size(), outcome,
                 {.verdict = IsSafetensors(file) ? Verdict::kValid : Verdict::kRefused,
                  .words = words,
                  .offset = !file.empty()});
  }
  // With the token's text replaced.
  std::string With(const Token& token, const std::string& text) const {
    std::string header = writer_.header_;
    header.replace(token.offset, token.size, text);
    return FileOf(header, data_);
  }

  Writer writer_;
  const std::string data_ = std::string(33, '\1');
  std::string file_;
  Tally tally_{"safetensors", kFile};
};

TEST_F(SafetensorsCorruption, TheFileItselfIsValid) {
  EXPECT_TRUE(IsSafetensors(file_));
  Check("undamaged", file_);
}

TEST_F(SafetensorsCorruption, Truncated) {
  for (size_t size = 0; size < file_.size(); ++size)
    Check(absl::StrCat("truncated to ", size), file_.substr(0, size));
  for (size_t size = 0; size < writer_.header_.size(); ++size)  // with a length that hides it
    Check(absl::StrCat("header cut to ", size), FileOf(writer_.header_.substr(0, size), data_));
  for (const size_t more : {1, 8, 4096})
    Check(absl::StrCat(more, " bytes more"), file_ + std::string(more, 'x'), {"bytes of data"});
}

TEST_F(SafetensorsCorruption, HeaderLength) {
  for (const uint64_t length : HostileNumbers(writer_.header_.size(), 64, file_.size())) {
    std::string file = file_;
    std::memcpy(file.data(), &length, sizeof length);
    const bool too_long = length > file_.size();
    Check(absl::StrCat("header length ", length), file,
          too_long ? std::vector<std::string>{"header"} : std::vector<std::string>{});
  }
  std::string file = file_;
  std::reverse(file.begin(), file.begin() + 8);
  Check("header length big-endian", file, {"header"});
  // Beyond the cap of the format, though the file were long enough.
  std::string long_header =
      writer_.header_ + std::string(100'000'001 - writer_.header_.size(), ' ');
  Check("header of 100,000,001 bytes", FileOf(long_header, data_), {"limit of 100000000"});
  long_header.pop_back();
  Check("header of 100,000,000 bytes", FileOf(long_header, data_));
}

TEST_F(SafetensorsCorruption, NumbersOfShapesAndRanges) {
  for (const Token& token : writer_.tokens_) {
    if (token.kind != "dim" && token.kind != "offset") continue;
    const uint64_t value = std::stoull(writer_.header_.substr(token.offset, token.size));
    std::vector<std::string> texts = {"18446744073709551616",
                                      "1e3",
                                      "2.0",
                                      "-1",
                                      "-0",
                                      "1e999",
                                      "-9223372036854775808",
                                      "NaN",
                                      "null",
                                      "true",
                                      "\"1\"",
                                      "[]",
                                      "{}",
                                      "[1]",
                                      "",
                                      "1,1",
                                      "0x10",
                                      "01",
                                      "+1",
                                      "1e-3",
                                      "99999999999999999999999999"};
    for (const uint64_t number : HostileNumbers(value, 64, file_.size()))
      texts.push_back(absl::StrCat(number));
    for (const std::string& text : texts) {
      const std::string file = With(token, text);
      Check(absl::StrCat(token.owner, ".", token.kind, " = ", text), file, {token.owner});
    }
  }
}

TEST_F(SafetensorsCorruption, Types) {
  const std::vector<std::string> types = {"F64",     "F32",
                                          "F16",     "BF16",
                                          "I64",     "I32",
                                          "I16",     "I8",
                                          "U8",      "BOOL",
                                          "U64",     "U32",
                                          "U16",     "F8_E5M2",
                                          "F8_E4M3", "F4",
                                          "f32",     "",
                                          "F32 ",    " F32",
                                          "F3",      "F322",
                                          "\\u0000", "F32\\u0000",
                                          "C64",     std::string(5000, 'F')};
  for (const Token& token : writer_.tokens_) {
    if (token.kind != "dtype") continue;
    for (const std::string& type : types)
      Check(absl::StrCat(token.owner, ".dtype = ", type.substr(0, 20)),
            With(token, "\"" + type + "\""), {token.owner});
    for (int byte = 0; byte < 256; ++byte)
      Check(absl::StrCat(token.owner, ".dtype with byte ", byte),
            With(token, std::string("\"F") + static_cast<char>(byte) + "\""));
    for (const char* other : {"0", "null", "[]", "{}", "true", "[\"F32\"]", "1.5", "-1"})
      Check(absl::StrCat(token.owner, ".dtype = ", other), With(token, other), {token.owner});
  }
  for (const Token& token : writer_.tokens_) {
    if (token.kind != "metadata") continue;
    for (const char* other : {"0", "null", "[]", "{}", "true", "1.5", "\"\"", "\"\\u0000\""})
      Check(absl::StrCat("metadata = ", other), With(token, other));
  }
}

TEST_F(SafetensorsCorruption, Twice) {
  for (const Token& a : writer_.tokens_) {
    for (const Token& b : writer_.tokens_) {
      if (a.kind != "name" || b.kind != "name" || a.offset == b.offset) continue;
      Check(absl::StrCat(a.owner, " named ", b.owner), With(a, "\"" + b.owner + "\""),
            {b.owner, "twice"});
      // The same name, written in another way.
      std::string escaped = "\"";
      for (const char c : b.owner)
        absl::StrAppend(&escaped, "\\u00", absl::Hex(c, absl::kZeroPad2));
      Check(absl::StrCat(a.owner, " named ", b.owner, ", escaped"), With(a, escaped + "\""),
            {b.owner, "twice"});
    }
  }
  for (const auto& [field, value] :
       {std::pair("dtype", "\"F32\""), {"shape", "[2,3]"}, {"data_offsets", "[0,24]"}}) {
    std::string header = writer_.header_;
    header.insert(header.find('}'), absl::StrCat(",\"", field, "\":", value));
    Check(absl::StrCat("a.weight with ", field, " twice"), FileOf(header, data_),
          {"a.weight", field, "twice"});
  }
  std::string header = writer_.header_;
  header.insert(header.find("\"other\""), "\"format\":\"pt\",");
  Check("metadata key twice", FileOf(header, data_), {"'format' twice"});
  header = writer_.header_;
  header.insert(1, "\"__metadata__\":{},");
  Check("metadata twice", FileOf(header, data_), {"__metadata__", "twice"});
}

TEST_F(SafetensorsCorruption, EveryByteOfTheHeader) {
  for (size_t i = 0; i < 8 + writer_.header_.size(); ++i) {
    for (const int change : {0x01, 0x20, 0x80, 0xff}) {
      std::string file = file_;
      file[i] = static_cast<char>(file[i] ^ change);
      Check(absl::StrCat("byte ", i, " ^ ", change), file);
    }
    std::string file = file_;
    file[i] = '\0';
    if (i >= 8) Check(absl::StrCat("byte ", i, " = NUL"), file);
  }
}

TEST_F(SafetensorsCorruption, Nesting) {
  for (const Token& token : writer_.tokens_) {
    for (const char* opening : {"[", "{\"x\":", "[{\"x\":"}) {
      std::string deep;
      for (int i = 0; i < 100'000; ++i) deep += opening;
      Check(absl::StrCat(token.owner, ".", token.kind, " nested in ", opening), With(token, deep));
    }
  }
}

}  // namespace
}  // namespace weft::corruption
