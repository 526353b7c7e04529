// JSON documents with one value, member or byte of them damaged.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace weft::corruption {

// Of an object's members, and of an array's elements, those at the beginning and the last: a
// vocabulary of thousands is as many times the same.
std::vector<nlohmann::ordered_json::json_pointer> ValuesOf(const nlohmann::ordered_json& document);

// The document with `raw` in place of the value there.
std::string With(const nlohmann::ordered_json& document,
                 const nlohmann::ordered_json::json_pointer& where, const std::string& raw);
// Without it, or with it twice; it is a member of an object.
std::string Without(const nlohmann::ordered_json& document,
                    const nlohmann::ordered_json::json_pointer& where);
std::string Twice(const nlohmann::ordered_json& document,
                  const nlohmann::ordered_json::json_pointer& where);

// What is JSON in no place, or more than Weft takes in any: malformed numbers and texts, NUL, bytes
// that are not UTF-8, a key twice, 100,000 levels.
std::vector<std::string> Malformed();

// The text up to each of its brackets, quotes, commas and colons, one byte less and one more; at
// most about `most` of them.
std::vector<std::string> Truncations(const std::string& text, size_t most);

}  // namespace weft::corruption
