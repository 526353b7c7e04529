// Reaching into values: attributes, items, slices, lengths and iteration.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

// The value of a key, or null. An error for a key that cannot be hashed.
absl::StatusOr<const Value*> Lookup(Context& context, const Dict& dict, const Value& key);
// The same for a text.
absl::StatusOr<const Value*> FindKey(Context& context, const Dict& dict, absl::string_view key);
// Sets a key of a dict under construction.
absl::Status Insert(Context& context, std::vector<std::pair<Value, Value>>& entries, Value key,
                    Value value);

// Undefined, because there is no such attribute.
absl::StatusOr<Value> NoAttribute(Context& context, const Value& object, absl::string_view name);
// `object.name`: a method or attribute, else the item of that name, else undefined; an error on
// undefined.
absl::StatusOr<Value> GetAttribute(Context& context, const Value& object, absl::string_view name);
// `object[key]`: the item, else the attribute of that name, else undefined; an error on undefined.
absl::StatusOr<Value> GetItem(Context& context, const Value& object, const Value& key);
// `object[start:stop:step]`; none stands for a part that is left out.
absl::StatusOr<Value> GetSlice(Context& context, const Value& object, const Value& start,
                               const Value& stop, const Value& step);

// len(value); undefined has 0.
absl::StatusOr<size_t> Length(Context& context, const Value& value);
// What a `for` loop over the value visits: items, a dict's keys, a text's code points, nothing of
// undefined. Empties an iterator.
absl::StatusOr<std::vector<Value>> Items(Context& context, const Value& value);

}  // namespace weft::jinja
