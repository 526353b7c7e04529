// What the fields of a JSON format may hold, and every document with one of them damaged.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace weft::corruption {

// What a field holds, after the documentation of the format.
enum class Kind : uint8_t {
  kSize,       // a whole number from 1 on that arrays have as their size
  kId,         // a whole number from 0 to 2^31 - 1: that of a token, or how many
  kIds,        // a token's number or a list of them
  kIdList,     // a list of them
  kNumber,     // not negative and of this world
  kShare,      // from 0 to 1
  kFlag,       // true or false
  kText,       // any
  kSomeText,   // any but the empty one
  kCharacter,  // a text of one character
  kRegex,      // a regular expression
  kWord,       // one of a few texts
  kName,       // the name of something else in the file
  kNothing,    // 0: anything else is not supported
  kForbidden,  // null: whatever it says is not supported
  kMarker,     // anything but null
  kToken,      // a text, or an object with the text
  kTemplate,   // a text, or a list of templates
  kObject,
  kList,
  kPair,  // two texts
  kFileName,
};

// Which fields a format has. A pattern is a JSON pointer with "*" in the place of any key or index;
// of "name:Type" and "*:Type" the value must be an object whose member "type" is Type. That of the
// fewest stars counts.
class FieldKinds {
 public:
  explicit FieldKinds(std::map<std::string, Kind> patterns) : patterns_(std::move(patterns)) {}

  // Nullptr where no pattern matches.
  const Kind* Of(const nlohmann::ordered_json& document,
                 const nlohmann::ordered_json::json_pointer& where) const;
  // Fails the test where a pattern matched in no document: its field would not be damaged at all.
  void ExpectAllMatched() const;

 private:
  std::map<std::string, Kind> patterns_;
  mutable std::set<std::string> matched_;
};

struct Document {
  std::string file;  // as messages name it
  nlohmann::ordered_json json;
  const FieldKinds* kinds;
  std::function<absl::Status(const std::string& text)> load;
  // Of the fields with a kind, those that are not read in this document: any value is valid.
  std::set<std::string> unread = {};
  // An object whose members are fields as those at the top are, "" for none.
  std::string nested = "";
  // Messages name elements of lists by their index.
  bool indexed = false;
};

// Every value of the document with malformed JSON, what its kind must not hold, twice and null in
// its place, and the text cut at every boundary.
void CheckAll(const Document& document, const std::string& kind_name);

}  // namespace weft::corruption
