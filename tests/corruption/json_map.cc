#include "tests/corruption/json_map.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;
using Pointer = Json::json_pointer;

void Collect(const Json& value, const Pointer& where, std::vector<Pointer>* found) {
  constexpr size_t kFirst = 8;
  size_t i = 0;
  for (const auto& [key, child] : value.items()) {
    const bool taken = i < kFirst || i + 1 == value.size() || value.size() <= 40;
    if (value.is_structured() && taken) {
      const Pointer below = value.is_array() ? where / i : where / key;
      found->push_back(below);
      if (child.is_structured()) Collect(child, below, found);
    }
    ++i;
  }
}

}  // namespace

std::vector<Pointer> ValuesOf(const Json& document) {
  std::vector<Pointer> found;
  Collect(document, Pointer(), &found);
  return found;
}

std::string With(const Json& document, const Pointer& where, const std::string& raw) {
  const std::string mark = "@@damaged@@";
  Json changed = document;
  changed[where] = mark;
  std::string text = changed.dump();
  return text.replace(text.find("\"" + mark + "\""), mark.size() + 2, raw);
}

std::string Without(const Json& document, const Pointer& where) {
  Json changed = document;
  changed[where.parent_pointer()].erase(where.back());
  return changed.dump();
}

std::string Twice(const Json& document, const Pointer& where) {
  const std::string value = document[where].dump();
  return With(document, where, absl::StrCat(value, ",", Json(where.back()).dump(), ":", value));
}

std::vector<std::string> Malformed() {
  std::vector<std::string> raw = {"",
                                  "NaN",
                                  "Infinity",
                                  "-Infinity",
                                  "1e999",
                                  "-1e999",
                                  "1e99999999999",
                                  "01",
                                  "+1",
                                  "0x10",
                                  "1.",
                                  ".5",
                                  "1e",
                                  "--1",
                                  "tru",
                                  "None",
                                  "True",
                                  "'a'",
                                  "\"a",
                                  "a\"",
                                  "\"\xff\"",
                                  "\"\xc3\"",
                                  "\"\xc0\x80\"",
                                  "\"\xed\xa0\x80\"",
                                  "\"\\ud800\"",
                                  "\"\\udc00\"",
                                  "\"\\x00\"",
                                  "\"\n\"",
                                  "[1,]",
                                  "[,1]",
                                  "[1 2]",
                                  "{\"a\":1,}",
                                  "{a:1}",
                                  "{\"a\"}",
                                  "{1:2}",
                                  "{\"a\":1,\"a\":1}",
                                  "[{\"a\":1,\"b\":2,\"a\":1}]",
                                  "// x\n1",
                                  "/**/1",
                                  "[",
                                  "{",
                                  "]",
                                  "}",
                                  "1,2",
                                  "1}{",
                                  "\xef\xbb\xbf"
                                  "1"};
  raw.emplace_back("\"a\0b\"", 5);
  raw.emplace_back("\0", 1);
  raw.emplace_back("1\0", 2);
  raw.push_back(std::string(100'000, '[') + std::string(100'000, ']'));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  raw.push_back(objects + "1" + std::string(100'000, '}'));
  raw.push_back(std::string(1'000'000, '['));
  return raw;
}

std::vector<std::string> Truncations(const std::string& text, size_t most) {
  std::set<size_t> sizes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (absl::string_view("{}[],:\"").find(text[i]) == absl::string_view::npos) continue;
    sizes.insert({i == 0 ? 0 : i - 1, i, i + 1});
  }
  sizes.erase(text.size());
  std::vector<std::string> result;
  const size_t step = sizes.size() / most + 1;
  size_t i = 0;
  for (const size_t size : sizes)
    if (i++ % step == 0) result.push_back(text.substr(0, size));
  return result;
}

}  // namespace weft::corruption
