#include "runtime/text/jinja_methods.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_operators.h"

namespace weft::jinja {
namespace {

using Result = absl::StatusOr<Value>;
using Bound = std::vector<const Value*>;
// `name` comes along for methods that share a function.
using Method = Result (*)(Context& context, const Value& self, absl::string_view name,
                          const Arguments& arguments);

struct MethodEntry {
  absl::string_view name;
  Method call;
};

// Binds the arguments of a method, named in errors as "'split'".
absl::StatusOr<Bound> BindTo(absl::string_view name, const Arguments& arguments,
                             std::initializer_list<absl::string_view> names, size_t required = 0) {
  return Bind(arguments, absl::StrCat("method '", name, "'"), names, required);
}

absl::StatusOr<absl::string_view> TextOf(const Value& value, absl::string_view method) {
  if (!value.is_string())
    return TypeError(value, absl::StrCat("was given to '", method, "', which needs a text"));
  return absl::string_view(value.AsString());
}

absl::StatusOr<int64_t> CountOf(const Value* value, absl::string_view method) {
  if (value == nullptr) return -1;
  if (!value->is_integral())
    return TypeError(*value, absl::StrCat("was given to '", method, "', which needs a number"));
  return value->AsInt();
}

// Charged and counted as they come: a text may have as many pieces as bytes.
class PieceList {
 public:
  explicit PieceList(Context& context) : context_(context) {}

  absl::Status Add(absl::string_view piece) {
    WEFT_RETURN_IF_ERROR(context_.Step());
    WEFT_RETURN_IF_ERROR(context_.ChargeGrowing<Value>(1));
    WEFT_ASSIGN_OR_RETURN(Value item, context_.NewString(std::string(piece)));
    items_.push_back(std::move(item));
    return absl::OkStatus();
  }
  void Reverse() { std::reverse(items_.begin(), items_.end()); }
  Result Finish(SequenceKind kind) { return context_.NewSequence(kind, std::move(items_)); }

 private:
  Context& context_;
  std::vector<Value> items_;
};

Result CallStrip(Context& context, const Value& self, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"chars"}));
  std::optional<absl::string_view> chars;
  if (bound[0] != nullptr && !bound[0]->is_none()) {
    WEFT_ASSIGN_OR_RETURN(chars, TextOf(*bound[0], name));
  }
  const Side side = name == "strip" ? Side::kBoth : name == "lstrip" ? Side::kLeft : Side::kRight;
  return StripChecked(context, self.AsString(), side, chars);
}

Result CallCase(Context& context, const Value& self, absl::string_view name,
                const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  const std::string& text = self.AsString();
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  if (name == "upper") return context.NewString(ToUpper(text));
  if (name == "lower") return context.NewString(ToLower(text));
  return context.NewString(name == "title" ? Title(text) : Capitalize(text));
}

Result CallIs(Context& context, const Value& self, absl::string_view name,
              const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  const std::string& text = self.AsString();
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  if (name == "isdigit") return Value::MakeBool(IsDigits(text));
  return Value::MakeBool(!text.empty() && Strip(text, Side::kLeft).empty());
}

Result CallSplit(Context& context, const Value& self, absl::string_view name,
                 const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"sep", "maxsplit"}));
  WEFT_ASSIGN_OR_RETURN(const int64_t limit, CountOf(bound[1], name));
  const absl::string_view text = self.AsString();
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  const bool from_right = name == "rsplit";
  PieceList pieces(context);
  const auto add = [&](absl::string_view piece) { return pieces.Add(piece); };
  if (bound[0] == nullptr || bound[0]->is_none()) {
    WEFT_RETURN_IF_ERROR(SplitSpace(text, limit, from_right, add));
  } else {
    WEFT_ASSIGN_OR_RETURN(const absl::string_view separator, TextOf(*bound[0], name));
    if (separator.empty())
      return absl::InvalidArgumentError("text cannot be split at an empty separator");
    // Both are mirrored.
    if (from_right) {
      WEFT_RETURN_IF_ERROR(context.Charge(2 * text.size()));
    }
    WEFT_RETURN_IF_ERROR(SplitOn(text, separator, limit, from_right, add));
  }
  if (from_right) pieces.Reverse();
  return pieces.Finish(SequenceKind::kList);
}

Result CallSplitLines(Context& context, const Value& self, absl::string_view name,
                      const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"keepends"}));
  WEFT_RETURN_IF_ERROR(context.Scan(self.AsString().size()));
  PieceList pieces(context);
  WEFT_RETURN_IF_ERROR(SplitLines(self.AsString(), bound[0] != nullptr && bound[0]->Truthy(),
                                  [&](absl::string_view piece) { return pieces.Add(piece); }));
  return pieces.Finish(SequenceKind::kList);
}

Result CallPartition(Context& context, const Value& self, absl::string_view name,
                     const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"sep"}, 1));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view separator, TextOf(*bound[0], name));
  if (separator.empty())
    return absl::InvalidArgumentError("text cannot be split at an empty separator");
  const absl::string_view text = self.AsString();
  WEFT_RETURN_IF_ERROR(context.Read(text.size() + separator.size()));
  const bool from_right = name == "rpartition";
  // Both are mirrored.
  if (from_right) {
    WEFT_RETURN_IF_ERROR(context.Charge(2 * text.size()));
  }
  const size_t at = from_right ? FindLast(text, separator) : Find(text, separator);
  std::vector<absl::string_view> parts = {text.substr(0, at), separator, {}};
  if (at != absl::string_view::npos) {
    parts[2] = text.substr(at + separator.size());
  } else {
    parts[1] = {};
    if (from_right) std::swap(parts[0], parts[2]);
  }
  PieceList pieces(context);
  for (absl::string_view part : parts) {
    WEFT_RETURN_IF_ERROR(pieces.Add(part));
  }
  return pieces.Finish(SequenceKind::kTuple);
}

Result CallStartsEnds(Context& context, const Value& self, absl::string_view name,
                      const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"prefix"}, 1));
  absl::Span<const Value> candidates(bound[0], 1);
  if (bound[0]->is_sequence() && bound[0]->AsSequence().kind == SequenceKind::kTuple) {
    candidates = bound[0]->AsSequence().items;
  }
  for (const Value& candidate : candidates) {
    WEFT_ASSIGN_OR_RETURN(const absl::string_view text, TextOf(candidate, name));
    WEFT_RETURN_IF_ERROR(context.Read(text.size()));
    if (name == "startswith" ? absl::StartsWith(self.AsString(), text)
                             : absl::EndsWith(self.AsString(), text)) {
      return Value::MakeBool(true);
    }
  }
  return Value::MakeBool(false);
}

Result CallRemove(Context& context, const Value& self, absl::string_view name,
                  const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"affix"}, 1));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view affix, TextOf(*bound[0], name));
  absl::string_view text = self.AsString();
  WEFT_RETURN_IF_ERROR(context.Read(text.size() + affix.size()));
  if (name == "removeprefix") {
    if (absl::StartsWith(text, affix)) text.remove_prefix(affix.size());
  } else if (absl::EndsWith(text, affix)) {
    text.remove_suffix(affix.size());
  }
  return context.NewString(std::string(text));
}

Result CallReplace(Context& context, const Value& self, absl::string_view name,
                   const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"old", "new", "count"}, 2));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view from, TextOf(*bound[0], name));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view to, TextOf(*bound[1], name));
  WEFT_ASSIGN_OR_RETURN(const int64_t count, CountOf(bound[2], name));
  return ReplaceChecked(context, self.AsString(), from, to, count);
}

Result CallJoin(Context& context, const Value& self, absl::string_view name,
                const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"iterable"}, 1));
  WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context, *bound[0]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    WEFT_ASSIGN_OR_RETURN(const absl::string_view text, TextOf(items[i], name));
    if (i > 0) {
      WEFT_RETURN_IF_ERROR(context.Append(out, self.AsString()));
    }
    WEFT_RETURN_IF_ERROR(context.Append(out, text));
  }
  return context.NewString(std::move(out));
}

// find, rfind, index and count of text, within [start, end) if given.
Result CallFind(Context& context, const Value& self, absl::string_view name,
                const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"sub", "start", "end"}, 1));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view needle, TextOf(*bound[0], name));
  const absl::string_view whole = self.AsString();
  WEFT_ASSIGN_OR_RETURN(const size_t size, Length(context, self));
  const int64_t length = int64_t(size);
  auto part = [&](const Value* value, int64_t missing) -> absl::StatusOr<int64_t> {
    if (value == nullptr || value->is_none()) return missing;
    WEFT_ASSIGN_OR_RETURN(const int64_t index, CountOf(value, name));
    return index < 0 ? std::max<int64_t>(0, index + length) : index;
  };
  WEFT_ASSIGN_OR_RETURN(const int64_t start, part(bound[1], 0));
  WEFT_ASSIGN_OR_RETURN(const int64_t end, part(bound[2], length));
  size_t found = absl::string_view::npos;
  int64_t count = 0;
  if (start <= length && start <= end) {
    WEFT_RETURN_IF_ERROR(context.Scan(2 * whole.size() + needle.size()));
    // Both are mirrored.
    if (name == "rfind") {
      WEFT_RETURN_IF_ERROR(context.Charge(2 * whole.size()));
    }
    const size_t begin = ByteOffset(whole, size_t(start));
    const absl::string_view text =
        whole.substr(begin, ByteOffset(whole.substr(begin), size_t(std::min(end, length) - start)));
    if (name == "count") {
      count = int64_t(CountOccurrences(text, needle));
    } else {
      found = name == "rfind" ? FindLast(text, needle) : Find(text, needle);
      if (found != absl::string_view::npos)
        return Value::MakeInt(start + int64_t(CountCodePoints(text.substr(0, found))));
    }
  }
  if (name == "count") return Value::MakeInt(count);
  if (name == "index") return absl::InvalidArgumentError("'index' did not find the text");
  return Value::MakeInt(-1);
}

Result CallListFind(Context& context, const Value& self, absl::string_view name,
                    const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"value"}, 1));
  const std::vector<Value>& items = self.AsSequence().items;
  int64_t count = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    WEFT_ASSIGN_OR_RETURN(const bool equal, Equal(context, items[i], *bound[0]));
    if (equal && name == "index") return Value::MakeInt(int64_t(i));
    count += equal ? 1 : 0;
  }
  if (name == "index") return absl::InvalidArgumentError("'index' did not find the value");
  return Value::MakeInt(count);
}

Result CallCopy(Context&, const Value& self, absl::string_view name, const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  return self;  // values do not change, so the copy can be the value
}

Result CallView(Context& context, const Value& self, absl::string_view name,
                const Arguments& arguments) {
  WEFT_RETURN_IF_ERROR(BindTo(name, arguments, {}).status());
  std::vector<Value> items;
  WEFT_RETURN_IF_ERROR(context.Step(self.AsDict().entries.size()));
  WEFT_RETURN_IF_ERROR(context.Charge(self.AsDict().entries.size() * sizeof(Value)));
  items.reserve(self.AsDict().entries.size());
  for (const auto& [key, value] : self.AsDict().entries) {
    if (name == "items") {
      WEFT_ASSIGN_OR_RETURN(Value pair, context.NewSequence(SequenceKind::kTuple, {key, value}));
      items.push_back(std::move(pair));
    } else {
      items.push_back(name == "keys" ? key : value);
    }
  }
  return context.NewSequence(SequenceKind::kView, std::move(items), absl::StrCat("dict_", name));
}

Result CallGet(Context& context, const Value& self, absl::string_view name,
               const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Bound bound, BindTo(name, arguments, {"key", "default"}, 1));
  WEFT_ASSIGN_OR_RETURN(const Value* found, Lookup(context, self.AsDict(), *bound[0]));
  if (found != nullptr) return *found;
  return bound[1] != nullptr ? *bound[1] : Value::MakeNone();
}

constexpr MethodEntry kTextMethods[] = {
    {"strip", CallStrip},
    {"lstrip", CallStrip},
    {"rstrip", CallStrip},
    {"upper", CallCase},
    {"lower", CallCase},
    {"title", CallCase},
    {"capitalize", CallCase},
    {"isdigit", CallIs},
    {"isspace", CallIs},
    {"split", CallSplit},
    {"rsplit", CallSplit},
    {"splitlines", CallSplitLines},
    {"partition", CallPartition},
    {"rpartition", CallPartition},
    {"startswith", CallStartsEnds},
    {"endswith", CallStartsEnds},
    {"removeprefix", CallRemove},
    {"removesuffix", CallRemove},
    {"replace", CallReplace},
    {"join", CallJoin},
    {"find", CallFind},
    {"rfind", CallFind},
    {"index", CallFind},
    {"count", CallFind},
};
constexpr MethodEntry kListMethods[] = {
    {"index", CallListFind}, {"count", CallListFind}, {"copy", CallCopy}};
constexpr MethodEntry kDictMethods[] = {{"items", CallView},
                                        {"keys", CallView},
                                        {"values", CallView},
                                        {"get", CallGet},
                                        {"copy", CallCopy}};

// What the types have besides.
constexpr absl::string_view kOtherTextMethods[] = {
    "casefold",  "center",      "encode",   "expandtabs", "format",       "format_map",
    "isalnum",   "isalpha",     "isascii",  "isdecimal",  "isidentifier", "islower",
    "isnumeric", "isprintable", "istitle",  "isupper",    "ljust",        "maketrans",
    "rindex",    "rjust",       "swapcase", "translate",  "zfill"};
constexpr absl::string_view kChangingListMethods[] = {"append", "clear",  "extend",  "insert",
                                                      "pop",    "remove", "reverse", "sort"};
constexpr absl::string_view kChangingDictMethods[] = {"clear", "pop", "popitem", "setdefault",
                                                      "update"};

bool IsWordOf(absl::Span<const absl::string_view> words, absl::string_view name) {
  return std::find(words.begin(), words.end(), name) != words.end();
}

Method MethodOf(const Value& receiver, absl::string_view name) {
  auto find = [name](const auto& methods) -> Method {
    for (const MethodEntry& method : methods) {
      if (method.name == name) return method.call;
    }
    return nullptr;
  };
  if (receiver.is_string()) return find(kTextMethods);
  if (receiver.is_dict()) return find(kDictMethods);
  if (!receiver.is_sequence()) return nullptr;
  const SequenceKind kind = receiver.AsSequence().kind;
  const bool listlike =
      kind == SequenceKind::kList || kind == SequenceKind::kRange || kind == SequenceKind::kTuple;
  return listlike && (name != "copy" || kind == SequenceKind::kList) ? find(kListMethods) : nullptr;
}

class BoundMethod : public Object {
 public:
  BoundMethod(Value receiver, absl::string_view name)
      : receiver_(std::move(receiver)), name_(name) {}
  absl::string_view TypeName() const override { return "method"; }
  bool IsCallable() const override { return true; }
  absl::StatusOr<Value> Call(Context& context, const Arguments& arguments) override {
    return CallMethod(context, receiver_, name_, arguments);
  }

 private:
  Value receiver_;
  std::string name_;
};

}  // namespace

absl::StatusOr<MethodKind> FindMethod(const Value& receiver, absl::string_view name) {
  if (MethodOf(receiver, name) != nullptr) return MethodKind::kAllowed;
  if (receiver.is_string() && IsWordOf(kOtherTextMethods, name)) {
    return absl::UnimplementedError(
        absl::StrCat("the method '", name, "' of text is not supported"));
  }
  if (receiver.is_dict() && IsWordOf(kChangingDictMethods, name)) return MethodKind::kForbidden;
  const bool list = receiver.is_sequence() && receiver.AsSequence().kind == SequenceKind::kList;
  if (list && IsWordOf(kChangingListMethods, name)) return MethodKind::kForbidden;
  return MethodKind::kNone;
}

absl::StatusOr<Value> CallMethod(Context& context, const Value& receiver, absl::string_view name,
                                 const Arguments& arguments) {
  return MethodOf(receiver, name)(context, receiver, name, arguments);
}

absl::StatusOr<Value> StripChecked(Context& context, absl::string_view text, Side side,
                                   std::optional<absl::string_view> chars) {
  // At worst each code point is compared with all of `chars`, but most text has little to strip.
  if (chars.has_value()) {
    WEFT_RETURN_IF_ERROR(context.Read(text.size() * chars->size()));
  }
  const absl::string_view stripped = Strip(text, side, chars);
  WEFT_RETURN_IF_ERROR(context.Scan(text.size() - stripped.size()));
  WEFT_RETURN_IF_ERROR(context.Read(stripped.size()));
  return context.NewString(std::string(stripped));
}

absl::StatusOr<Value> ReplaceChecked(Context& context, absl::string_view text,
                                     absl::string_view from, absl::string_view to, int64_t count) {
  WEFT_RETURN_IF_ERROR(context.Scan(text.size() + from.size()));
  size_t replaced = CountOccurrences(text, from);
  if (count >= 0) replaced = std::min(replaced, size_t(count));
  // Neither factor exceeds the limit of one text, so nothing overflows.
  WEFT_RETURN_IF_ERROR(
      context.CheckText(text.size() - replaced * from.size() + replaced * to.size()));
  return context.NewString(Replace(text, from, to, count));
}

absl::StatusOr<Value> BindMethod(Context& context, const Value& receiver, absl::string_view name) {
  WEFT_ASSIGN_OR_RETURN(Object * method,
                        context.NewObject(std::make_unique<BoundMethod>(receiver, name)));
  return Value::MakeObject(method);
}

}  // namespace weft::jinja
