#include "tests/corruption/json_fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/json_map.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;
using Pointer = Json::json_pointer;

// Longer than a message may be.
std::string LongText() { return absl::StrCat("\"", std::string(5'000, 'x'), "\""); }

// Well-formed JSON that a field of the kind must not hold.
std::vector<std::string> Refused(Kind kind) {
  const std::vector<std::string> not_integers = {"1.5",
                                                 "1e3",
                                                 "-0.5",
                                                 "\"1\"",
                                                 "true",
                                                 "{}",
                                                 "1e300",
                                                 "18446744073709551616",
                                                 "-9223372036854775809"};
  std::vector<std::string> values;
  switch (kind) {
    case Kind::kSize:
      values = {"0",
                "-1",
                "[]",
                "[1]",
                "1099511627776",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "-9223372036854775808"};
      values.insert(values.end(), not_integers.begin(), not_integers.end());
      return values;
    case Kind::kId:
    case Kind::kIds:
      values = {"-1",
                "2147483648",
                "4294967295",
                "4294967296",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "-9223372036854775808",
                "[-1]",
                "[\"a\"]",
                "[[0]]",
                "[1.5]",
                "[9223372036854775808]"};
      values.insert(values.end(), not_integers.begin(), not_integers.end());
      if (kind == Kind::kId) values.insert(values.end(), {"[]", "[0]"});
      return values;
    case Kind::kIdList:
      return {"0",
              "-1",
              "0.5",
              "true",
              "\"\"",
              "{}",
              "[-1]",
              "[\"a\"]",
              "[[0]]",
              "[1.5]",
              "[2147483648]",
              "[null]",
              "[9223372036854775808]"};
    case Kind::kNumber:
      return {"-1", "\"1\"", "true", "[]", "[1]", "{}", "1e300", "-1e300", "-18446744073709551616"};
    case Kind::kShare:
      return {"-1", "1.5", "2", "\"1\"", "true", "[]", "[1]", "{}", "1e300", "-1e300"};
    case Kind::kFlag:
      return {"0", "1", "\"true\"", "\"\"", "[]", "[true]", "{}", "0.5"};
    case Kind::kText:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{}"};
    case Kind::kSomeText:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{}", "\"\""};
    case Kind::kCharacter:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{}", "\"\"", "\"ab\"", "\"\\u2581a\""};
    case Kind::kRegex:
      return {"0",
              "-1",
              "true",
              "[]",
              "[\"a\"]",
              "{}",
              "\"(\"",
              "\")\"",
              "\"[\"",
              "\"*\"",
              "\"(?\"",
              "\"a{2,1}\"",
              "\"a{99999}\"",
              "\"\\\\\"",
              "\"\\\\p{Nonsense}\"",
              "\"\\\\C\"",
              "\"\\\\K\"",
              "\"(*UTF)\"",
              "\"(?R\"",
              absl::StrCat("\"", std::string(70'000, 'a'), "\""),
              absl::StrCat("\"", std::string(2'000, '('), std::string(2'000, ')'), "\"")};
    case Kind::kName:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{}", "\"nonsense\"", LongText()};
    case Kind::kForbidden:
      return {
          "0", "true", "\"\"", "[]", "{}", "{\"quant_method\": \"gptq\"}", "{\"quant_method\": 1}"};
    case Kind::kMarker:
      return {};
    case Kind::kWord:
      return {"0",  "-1",   "0.5",          "true",        "[]",      "[\"a\"]",
              "{}", "\"\"", "\"nonsense\"", "\"\\u0000\"", LongText()};
    case Kind::kNothing:
      return {"-1", "0.5", "true", "[]", "[\"a\"]", "{}", "\"\"", "\"0\"", "1e300"};
    case Kind::kToken:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{\"content\": 1}", "{\"content\": []}"};
    case Kind::kTemplate:
      return {"0",
              "-1",
              "0.5",
              "true",
              "{}",
              "[0]",
              "[{}]",
              "[[]]",
              "[{\"name\": \"default\"}]",
              "[{\"name\": \"default\", \"template\": 1}]"};
    case Kind::kObject:
      return {"0", "-1", "0.5", "true", "\"\"", "[]", "[{}]"};
    case Kind::kList:
      return {"0", "-1", "0.5", "true", "\"\"", "{}", "[0]", "[[]]", "[null]"};
    case Kind::kPair:
      return {"0",
              "-1",
              "0.5",
              "true",
              "\"\"",
              "{}",
              "[]",
              "[\"a\"]",
              "[\"a\", \"b\", \"c\"]",
              "[\"a\", 1]",
              "[null, \"b\"]",
              "\"a\"",
              "\"no such\"",
              "null"};
    case Kind::kFileName:
      return {"0",
              "null",
              "true",
              "[]",
              "{}",
              "\"\"",
              "\".\"",
              "\"..\"",
              "\"/etc/passwd\"",
              "\"../model.safetensors\"",
              "\"./model.safetensors\"",
              "\"a/b.safetensors\"",
              "\"..\\\\model.safetensors\"",
              "\"model.safetensors\\u0000\"",
              "\"no-such.safetensors\"",
              "\"model.safetensors/..\"",
              "\"model\\n.safetensors\""};
  }
  return values;
}

// Well-formed values for fields that nobody reads.
const std::vector<std::string>& Anything() {
  static const std::vector<std::string> values = {"0",
                                                  "-1",
                                                  "0.5",
                                                  "1e300",
                                                  "true",
                                                  "null",
                                                  "\"\"",
                                                  "\"\\u0000\"",
                                                  "[]",
                                                  "{}",
                                                  "[[[]]]",
                                                  "{\"\": {}}",
                                                  "18446744073709551615",
                                                  "18446744073709551616",
                                                  "-9223372036854775808"};
  return values;
}

// From the first key on.
std::vector<std::string> PartsOf(Pointer where) {
  std::vector<std::string> parts;
  for (; !where.empty(); where.pop_back()) parts.push_back(where.back());
  std::ranges::reverse(parts);
  return parts;
}

// How many stars the pattern has, where it matches.
std::optional<int> StarsOfMatch(const std::string& pattern, const Json& document,
                                const std::vector<std::string>& parts) {
  const std::vector<std::string> wanted = absl::StrSplit(pattern.substr(1), '/');
  if (wanted.size() != parts.size()) return std::nullopt;
  int stars = 0;
  Pointer where;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::pair<std::string, std::string> name_and_type =
        absl::StrSplit(wanted[i], absl::MaxSplits(':', 1));
    const auto& [name, type] = name_and_type;
    if (name == "*") ++stars;
    if (name != "*" && name != parts[i]) return std::nullopt;
    const bool is_index = document[where].is_array();
    where = is_index ? where / std::stoul(parts[i]) : where / parts[i];
    if (type.empty()) continue;
    const Json& value = document[where];
    if (!value.is_object() || value.value("type", Json()) != type) return std::nullopt;
  }
  return stars;
}

// Where the field stands as the map of kinds has it.
Pointer InMap(const Document& document, const Pointer& where) {
  std::vector<std::string> parts = PartsOf(where);
  if (parts.size() < 2 || parts.front() != document.nested) return where;
  Pointer result;
  for (size_t i = 1; i < parts.size(); ++i) result /= parts[i];
  return result;
}

const Kind* KindOf(const Document& document, const Pointer& where) {
  if (document.unread.contains(where.to_string())) return nullptr;
  const Pointer in_map = InMap(document, where);
  return document.kinds->Of(in_map == where ? document.json : document.json[document.nested],
                            in_map);
}

// Below a field that Weft reads, but none itself: in no use, and not of a use that "any" covers.
bool IsBelowRead(const Document& document, Pointer where) {
  for (where.pop_back(); !where.empty(); where.pop_back())
    if (const Kind* kind = KindOf(document, where);
        kind != nullptr && *kind != Kind::kObject && *kind != Kind::kMarker)
      return true;
  return false;
}

// What a message says of the field: its name, and of an element of a list that of the list. A
// component of an unknown type is named, and so is the value; that it was the type goes without
// saying. What is named but not there is named, and of expressions what they are.
std::vector<std::string> WordsFor(const Document& document, Pointer where, Kind kind,
                                  const std::string& raw) {
  const auto is_element = [&] { return document.json[where.parent_pointer()].is_array(); };
  const bool is_text = raw.front() == '"';
  const bool is_own = !is_element() && where.back() != "type";
  std::vector<std::string> words;
  if (kind == Kind::kName && is_text) {
    words.push_back(raw.substr(1, std::min<size_t>(raw.size() - 2, 100)));
  } else if (kind == Kind::kRegex && is_text) {
    words.emplace_back("regular expression");
  } else {
    words.push_back(is_own ? where.back() : where.parent_pointer().back());
  }
  if (!document.indexed) return words;
  if (!is_own && is_element()) words.clear();
  words.push_back(PartsOf(where).front());
  while (!where.empty() && !is_element()) where.pop_back();
  // Where what is named should be says nothing of where the name stands.
  if (!where.empty() && (kind != Kind::kName || !is_text))
    words.push_back(absl::StrCat(where.parent_pointer().back(), "[", where.back(), "]"));
  return words;
}

void CheckValue(const Document& document, const Pointer& where, Tally& tally) {
  const std::string name = where.to_string();
  const bool is_member = document.json[where.parent_pointer()].is_object();
  const auto load = [&](const std::string& raw) {
    return document.load(With(document.json, where, raw));
  };
  for (const std::string& raw : Malformed()) {
    // What begins with a comma or closes the bracket around it is another document, and valid
    // where the list may hold any number.
    if (raw == "1,2" || raw.empty()) continue;
    const std::string damaged = With(document.json, where, raw);
    tally.Check(absl::StrCat(name, " = ", raw.substr(0, 30)), damaged.size(),
                document.load(damaged), {});
  }
  if (is_member) {
    const std::string twice = Twice(document.json, where);
    tally.Check(name + " twice", twice.size(), document.load(twice), {.words = {"occurs twice"}});
  }
  const Kind* const kind = KindOf(document, where);
  if (kind != nullptr) {
    for (const std::string& raw : Refused(*kind))
      tally.Check(absl::StrCat(name, " = ", raw.substr(0, 100)), 0, load(raw),
                  {.words = WordsFor(document, where, *kind, raw), .offset = false});
  }
  if (kind == nullptr ? !IsBelowRead(document, where) : *kind == Kind::kMarker) {
    for (const std::string& raw : Anything()) {
      if (kind != nullptr && raw == "null") continue;
      tally.Check(absl::StrCat(name, " = ", raw), 0, load(raw), {.verdict = Verdict::kValid});
    }
  }
  // A member that is null is one that is not there; but of windows null says that there is none.
  if (is_member && kind != nullptr && *kind != Kind::kFileName && *kind != Kind::kId &&
      where.back() != "sliding_window") {
    EXPECT_EQ(load("null").ok(), document.load(Without(document.json, where)).ok()) << name;
  }
}

}  // namespace

const Kind* FieldKinds::Of(const Json& document, const Pointer& where) const {
  const std::vector<std::string> parts = PartsOf(where);
  const std::pair<const std::string, Kind>* best = nullptr;
  int fewest = 0;
  for (const auto& entry : patterns_) {
    const std::optional<int> stars = StarsOfMatch(entry.first, document, parts);
    if (!stars || (best != nullptr && *stars >= fewest)) continue;
    best = &entry;
    fewest = *stars;
  }
  if (best == nullptr) return nullptr;
  matched_.insert(best->first);
  return &best->second;
}

void FieldKinds::ExpectAllMatched() const {
  for (const auto& [pattern, kind] : patterns_)
    EXPECT_TRUE(matched_.contains(pattern)) << "no document has a field " << pattern;
}

void CheckAll(const Document& document, const std::string& kind_name) {
  Tally tally(kind_name, document.file);
  const std::string text = document.json.dump(1);
  ASSERT_TRUE(document.load(text).ok()) << document.load(text);
  tally.Check("undamaged", text.size(), document.load(text), {.verdict = Verdict::kValid});
  for (const std::string& cut : Truncations(text, 600))
    tally.Check(absl::StrCat("truncated to ", cut.size()), text.size(), document.load(cut),
                {.offset = !cut.empty()});
  for (const std::string& raw : Malformed()) {
    if (raw.empty() || raw.front() == '\xef')
      continue;  // the file that is empty has its place above
    tally.Check("the whole: " + raw.substr(0, 30), raw.size(), document.load(raw), {});
  }
  for (const char* other : {"[]", "0", "\"\"", "null", "true", "[{}]", "1.5"})
    tally.Check(absl::StrCat("the whole: ", other), 0, document.load(other), {.offset = false});
  for (const std::string& field : document.unread)
    EXPECT_TRUE(document.json.contains(Pointer(field))) << field << " is not in the document";
  for (const Pointer& where : ValuesOf(document.json)) CheckValue(document, where, tally);
}

}  // namespace weft::corruption
