#include "runtime/text/jinja_sequence_filters.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_is_tests.h"
#include "runtime/text/jinja_number.h"
#include "runtime/text/jinja_operators.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

using Result = absl::StatusOr<Value>;
using Bound = std::vector<const Value*>;

absl::StatusOr<Bound> BindTo(absl::string_view name, const Arguments& arguments,
                             std::initializer_list<absl::string_view> names, size_t required = 0) {
  return Bind(arguments, absl::StrCat("filter '", name, "'"), names, required);
}

bool IsSet(const Value* value) { return value != nullptr && value->Truthy(); }

bool IsIterator(const Value& value) {
  return value.is_sequence() && value.AsSequence().kind == SequenceKind::kIterator;
}

Result NewIterator(Context& context, std::vector<Value> items) {
  return context.NewSequence(SequenceKind::kIterator, std::move(items));
}

// Text in lower case, anything else as it is: how Jinja compares unless asked to heed case.
Result FoldCase(Context& context, const Value& value) {
  if (!value.is_string()) return value;
  WEFT_RETURN_IF_ERROR(context.Scan(value.AsString().size()));
  return context.NewString(ToLower(value.AsString()));
}

// "address.city" or "items.0": the keys that text names as a path.
absl::StatusOr<std::vector<Value>> PathOf(Context& context, absl::string_view names) {
  std::vector<Value> path;
  WEFT_RETURN_IF_ERROR(context.Scan(names.size()));
  for (absl::string_view part : absl::StrSplit(names, '.')) {
    WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Value>(1));
    int64_t index = 0;
    const bool is_index = IsDigits(part) && ParseInt(part, 10, index) == ParseResult::kOk;
    WEFT_ASSIGN_OR_RETURN(path.emplace_back(), is_index
                                                   ? absl::StatusOr<Value>(Value::MakeInt(index))
                                                   : context.NewString(std::string(part)));
  }
  return path;
}

// What the `attribute` argument of a filter names. Null or none names none.
absl::StatusOr<std::vector<Value>> PathOf(Context& context, const Value* attribute) {
  if (attribute == nullptr || attribute->is_none()) return std::vector<Value>();
  if (attribute->is_integral()) return std::vector<Value>{*attribute};
  if (!attribute->is_string()) return TypeError(*attribute, "is no attribute's name");
  return PathOf(context, attribute->AsString());
}

// Follows the path; `fallback`, unless null or none, stands in for what is undefined on the way.
Result Follow(Context& context, Value value, const std::vector<Value>& path,
              const Value* fallback = nullptr) {
  for (const Value& part : path) {
    WEFT_RETURN_IF_ERROR(context.Step());
    WEFT_ASSIGN_OR_RETURN(value, GetItem(context, value, part));
    if (value.is_undefined() && fallback != nullptr && !fallback->is_none()) value = *fallback;
  }
  return value;
}

Result ApplyLength(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  WEFT_ASSIGN_OR_RETURN(const size_t length, Length(context, input));
  return Value::MakeInt(int64_t(length));
}

Result ApplyFirst(Context& context, const Value& input, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  if (IsIterator(input)) {
    // Takes one item and leaves the others.
    const Sequence& sequence = input.AsSequence();
    if (sequence.next < sequence.items.size()) return sequence.items[sequence.next++];
  } else if (input.is_string()) {
    return GetItem(context, input, Value::MakeInt(0));
  } else if (input.is_sequence()) {
    if (!input.AsSequence().items.empty()) return input.AsSequence().items.front();
  } else {
    WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
    if (!items.empty()) return items.front();
  }
  return context.NewUndefined("the sequence is empty and has no first item");
}

Result ApplyLast(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  if (IsIterator(input)) return TypeError(input, "has no last item; add '| list'");
  if (input.is_string()) return GetItem(context, input, Value::MakeInt(-1));
  if (input.is_sequence()) {
    if (!input.AsSequence().items.empty()) return input.AsSequence().items.back();
  } else {
    WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
    if (!items.empty()) return items.back();
  }
  return context.NewUndefined("the sequence is empty and has no last item");
}

Result ApplyList(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context, input));
  return context.NewList(std::move(items));
}

Result ApplyReverse(Context& context, const Value& input, absl::string_view name,
                    const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  if (input.is_string()) {
    return GetSlice(context, input, Value::MakeNone(), Value::MakeNone(), Value::MakeInt(-1));
  }
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context, input));
  std::reverse(items.begin(), items.end());
  return IsIterator(input) ? context.NewList(std::move(items))
                           : NewIterator(context, std::move(items));
}

Result ApplyJoin(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"d", "attribute"}));
  Value given;
  absl::string_view separator;  // what `given` holds
  if (bound[0] != nullptr) {
    WEFT_ASSIGN_OR_RETURN(given, Str(context, *bound[0]));
    separator = given.AsString();
  }
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> path, PathOf(context, bound[1]));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      WEFT_RETURN_IF_ERROR(context.Append(out, separator));
    }
    WEFT_ASSIGN_OR_RETURN(const Value item, Follow(context, items[i], path));
    WEFT_RETURN_IF_ERROR(AppendStr(context, item, out));
  }
  return context.NewString(std::move(out));
}

Result ApplyItems(Context& context, const Value& input, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  std::vector<Value> items;
  if (input.is_undefined()) return NewIterator(context, std::move(items));
  if (!input.is_dict()) return TypeError(input, "has no items; 'items' needs a dict");
  WEFT_RETURN_IF_ERROR(context.Step(input.AsDict().entries.size()));
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Value>(input.AsDict().entries.size()));
  for (const auto& [key, value] : input.AsDict().entries) {
    WEFT_ASSIGN_OR_RETURN(Value pair, context.NewSequence(SequenceKind::kTuple, {key, value}));
    items.push_back(std::move(pair));
  }
  return NewIterator(context, std::move(items));
}

Result ApplyDictSort(Context& context, const Value& input, absl::string_view name,
                     const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound,
                        BindTo(name, arguments, {"case_sensitive", "by", "reverse"}));
  if (!input.is_dict()) return TypeError(input, "was given to 'dictsort', which needs a dict");
  const bool by_key =
      bound[1] == nullptr || (bound[1]->is_string() && bound[1]->AsString() == "key");
  const bool by_value = !by_key && bound[1]->is_string() && bound[1]->AsString() == "value";
  if (!by_key && !by_value)
    return absl::InvalidArgumentError("'dictsort' sorts by 'key' or by 'value'");
  std::vector<std::pair<Value, Value>> keyed;
  WEFT_RETURN_IF_ERROR(context.Step(input.AsDict().entries.size()));
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Entry>(input.AsDict().entries.size()));
  for (const auto& [key, value] : input.AsDict().entries) {
    Value by = by_key ? key : value;
    if (!IsSet(bound[0])) {
      WEFT_ASSIGN_OR_RETURN(by, FoldCase(context, by));
    }
    WEFT_ASSIGN_OR_RETURN(Value pair, context.NewSequence(SequenceKind::kTuple, {key, value}));
    keyed.emplace_back(std::move(by), std::move(pair));
  }
  WEFT_RETURN_IF_ERROR(
      SortBy(context, keyed, [](const auto& k) { return k.first; }, IsSet(bound[2])));
  std::vector<Value> items;
  for (auto& [by, pair] : keyed) items.push_back(std::move(pair));
  return context.NewList(std::move(items));
}

// The items with the keys that `attribute` and `case_sensitive` ask to compare them by.
absl::StatusOr<std::vector<std::pair<Value, Value>>> Keyed(Context& context, const Value& input,
                                                           const std::vector<Value>& path,
                                                           bool heed_case) {
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context, input));
  std::vector<std::pair<Value, Value>> keyed;
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Entry>(items.size()));
  for (Value& item : items) {
    WEFT_ASSIGN_OR_RETURN(Value key, Follow(context, item, path));
    if (!heed_case) {
      WEFT_ASSIGN_OR_RETURN(key, FoldCase(context, key));
    }
    keyed.emplace_back(std::move(key), std::move(item));
  }
  return keyed;
}

Result ApplySort(Context& context, const Value& input, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound,
                        BindTo(name, arguments, {"reverse", "case_sensitive", "attribute"}));
  // "age,name" sorts by age, then by name.
  std::vector<std::vector<Value>> paths;
  if (bound[2] != nullptr && bound[2]->is_string()) {
    for (absl::string_view names : absl::StrSplit(bound[2]->AsString(), ',')) {
      WEFT_RETURN_IF_ERROR(context.ChargeGrowing<std::vector<Value>>(1));
      WEFT_ASSIGN_OR_RETURN(paths.emplace_back(), PathOf(context, names));
    }
  } else {
    WEFT_ASSIGN_OR_RETURN(paths.emplace_back(), PathOf(context, bound[2]));
  }
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
  std::vector<std::pair<Value, Value>> keyed;
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Entry>(items.size()));
  for (const Value& item : items) {
    std::vector<Value> keys;
    WEFT_RETURN_IF_ERROR(context.Step(paths.size()));
    WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Value>(paths.size()));
    for (const std::vector<Value>& path : paths) {
      WEFT_ASSIGN_OR_RETURN(Value key, Follow(context, item, path));
      if (!IsSet(bound[1])) {
        WEFT_ASSIGN_OR_RETURN(key, FoldCase(context, key));
      }
      keys.push_back(std::move(key));
    }
    WEFT_ASSIGN_OR_RETURN(Value key, context.NewList(std::move(keys)));
    keyed.emplace_back(std::move(key), item);
  }
  WEFT_RETURN_IF_ERROR(
      SortBy(context, keyed, [](const auto& k) { return k.first; }, IsSet(bound[0])));
  std::vector<Value> sorted;
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return context.NewList(std::move(sorted));
}

Result ApplyUnique(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound,
                        BindTo(name, arguments, {"case_sensitive", "attribute"}));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> path, PathOf(context, bound[1]));
  WEFT_ASSIGN_OR_RETURN(auto keyed, Keyed(context, input, path, IsSet(bound[0])));
  std::vector<std::pair<Value, Value>> seen;
  std::vector<Value> items;
  for (auto& [key, item] : keyed) {
    const size_t before = seen.size();
    WEFT_RETURN_IF_ERROR(Insert(context, seen, std::move(key), Value::MakeNone()));
    if (seen.size() > before) items.push_back(std::move(item));
  }
  return NewIterator(context, std::move(items));
}

Result ApplyMinMax(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound,
                        BindTo(name, arguments, {"case_sensitive", "attribute"}));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> path, PathOf(context, bound[1]));
  WEFT_ASSIGN_OR_RETURN(auto keyed, Keyed(context, input, path, IsSet(bound[0])));
  if (keyed.empty())
    return context.NewUndefined("the sequence is empty and has no smallest or largest item");
  size_t best = 0;
  for (size_t i = 1; i < keyed.size(); ++i) {
    const Value& a = name == "min" ? keyed[i].first : keyed[best].first;
    const Value& b = name == "min" ? keyed[best].first : keyed[i].first;
    WEFT_ASSIGN_OR_RETURN(const bool better, Less(context, a, b));
    if (better) best = i;
  }
  return keyed[best].second;
}

Result ApplySum(Context& context, const Value& input, absl::string_view name,
                const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"attribute", "start"}));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> path, PathOf(context, bound[0]));
  Value sum = bound[1] != nullptr ? *bound[1] : Value::MakeInt(0);
  if (sum.is_string()) return TypeError(sum, "cannot be summed; use 'join'");
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
  for (const Value& item : items) {
    WEFT_ASSIGN_OR_RETURN(const Value number, Follow(context, item, path));
    WEFT_ASSIGN_OR_RETURN(sum, Binary(context, BinaryOp::kAdd, sum, number));
  }
  return sum;
}

Result ApplyBatch(Context& context, const Value& input, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"linecount", "fill_with"}, 1));
  if (!bound[0]->is_integral() || bound[0]->AsInt() < 1 || bound[0]->AsInt() > (1 << 20)) {
    return absl::InvalidArgumentError("'batch' needs a size from 1 to 2^20");
  }
  const auto size = size_t(bound[0]->AsInt());
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, input));
  std::vector<Value> batches;
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Value>(items.size() / size + 1));
  for (size_t begin = 0; begin < items.size(); begin += size) {
    const size_t end = std::min(items.size(), begin + size);
    WEFT_RETURN_IF_ERROR(context.Step(bound[1] != nullptr ? size : 1));
    std::vector<Value> batch(items.begin() + std::ptrdiff_t(begin),
                             items.begin() + std::ptrdiff_t(end));
    if (bound[1] != nullptr && !bound[1]->is_none()) batch.resize(size, *bound[1]);
    WEFT_ASSIGN_OR_RETURN(Value list, context.NewList(std::move(batch)));
    batches.push_back(std::move(list));
  }
  return NewIterator(context, std::move(batches));
}

// For the copy of a filter's arguments that it passes on; a `map` in a `map` has one at each level.
absl::Status CheckRest(Context& context, const Arguments& arguments) {
  const size_t count = arguments.positional.size() + arguments.named.size();
  WEFT_RETURN_IF_ERROR(context.Step(count));
  return context.Charge(count * sizeof(std::pair<Value, Value>));
}

// map('filter', …) and map(attribute='name', default=…). Gives nothing of what is false, none among
// it, and so do the filters that select.
Result ApplyMap(Context& context, const Value& input, absl::string_view name,
                const Arguments& arguments) {
  const bool by_attribute =
      arguments.positional.empty() &&
      std::any_of(arguments.named.begin(), arguments.named.end(),
                  [](const auto& a) { return a.first.AsString() == "attribute"; });
  if (!input.Truthy()) return NewIterator(context, {});
  std::vector<Value> path;
  const Value* fallback = nullptr;
  Arguments rest;
  if (by_attribute) {
    WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"attribute", "default"}, 1));
    WEFT_ASSIGN_OR_RETURN(path, PathOf(context, bound[0]));
    fallback = bound[1];
  } else {
    if (arguments.positional.empty() || !arguments.positional[0].is_string()) {
      return absl::InvalidArgumentError("'map' needs the name of a filter, or attribute='…'");
    }
    WEFT_RETURN_IF_ERROR(CheckRest(context, arguments));
    rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
    rest.named = arguments.named;
  }
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context, input));
  for (Value& item : items) {
    if (by_attribute) {
      WEFT_ASSIGN_OR_RETURN(item, Follow(context, item, path, fallback));
    } else {
      WEFT_ASSIGN_OR_RETURN(item,
                            ApplyFilter(context, arguments.positional[0].AsString(), item, rest));
    }
  }
  return NewIterator(context, std::move(items));
}

// select, reject ([test, its arguments…]) and selectattr, rejectattr (attribute[, test, its
// arguments…]).
Result ApplySelect(Context& context, const Value& input, absl::string_view name,
                   const Arguments& arguments) {
  if (!input.Truthy()) return NewIterator(context, {});
  const bool by_attribute = name == "selectattr" || name == "rejectattr";
  const bool keep = name == "select" || name == "selectattr";
  const size_t skip = by_attribute ? 1 : 0;
  const std::vector<Value>& given = arguments.positional;
  if (given.size() < skip)
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' needs an attribute's name"));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> path,
                        PathOf(context, by_attribute ? given.data() : nullptr));
  const Value* test = given.size() > skip ? &given[skip] : nullptr;
  if (test != nullptr && !test->is_string()) return TypeError(*test, "is no test's name");
  Arguments rest;
  WEFT_RETURN_IF_ERROR(CheckRest(context, arguments));
  rest.named = arguments.named;
  if (test != nullptr)
    rest.positional.assign(given.begin() + std::ptrdiff_t(skip) + 1, given.end());
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context, input));
  std::vector<Value> kept;
  WEFT_RETURN_IF_ERROR(context.ChargeGrowing<Value>(items.size()));
  for (Value& item : items) {
    WEFT_ASSIGN_OR_RETURN(const Value subject, Follow(context, item, path));
    bool passes = subject.Truthy();
    if (test != nullptr) {
      WEFT_ASSIGN_OR_RETURN(passes, ApplyTest(context, test->AsString(), subject, rest));
    }
    if (passes == keep) kept.push_back(std::move(item));
  }
  return NewIterator(context, std::move(kept));
}

constexpr FilterEntry kFilters[] = {
    {"length", ApplyLength},     {"count", ApplyLength},      {"first", ApplyFirst},
    {"last", ApplyLast},         {"list", ApplyList},         {"reverse", ApplyReverse},
    {"join", ApplyJoin},         {"items", ApplyItems},       {"dictsort", ApplyDictSort},
    {"sort", ApplySort},         {"unique", ApplyUnique},     {"min", ApplyMinMax},
    {"max", ApplyMinMax},        {"sum", ApplySum},           {"batch", ApplyBatch},
    {"map", ApplyMap},           {"select", ApplySelect},     {"reject", ApplySelect},
    {"selectattr", ApplySelect}, {"rejectattr", ApplySelect},
};

}  // namespace

absl::Span<const FilterEntry> SequenceFilters() { return kFilters; }

}  // namespace weft::jinja
