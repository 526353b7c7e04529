// The one way to read JSON that nobody vouches for: model folders, tokenizers, plans, answers of
// the hub. What it takes is JSON (RFC 8259) and no more, in time and memory in proportion to the
// text.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace weft {

// The deepest known file (a tokenizer.json) has 8 levels. The bound keeps every later recursion
// over a value shallow: copying, printing, what a reader itself does.
inline constexpr int kMaxJsonNesting = 64;

// The document. Errors begin with `name` and say under which key and at which byte: no JSON
// (truncated, not UTF-8, more text behind it); a key twice in one object; nesting deeper than
// kMaxJsonNesting; a number beyond double's range.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text, absl::string_view name);

// The same, and the document is an object.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, absl::string_view name);

// For readers that take a document as events: gives them to `handler`, up to the first that returns
// false. `*offset` counts the bytes read at each of them. Text that is no JSON ends in
// handler.parse_error.
bool StreamJson(absl::string_view text, nlohmann::json_sax<nlohmann::json>& handler,
                uint64_t* offset);

}  // namespace weft
