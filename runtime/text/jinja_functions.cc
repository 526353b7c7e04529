#include "runtime/text/jinja_functions.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_format.h"

namespace weft::jinja {
namespace {

using Entries = std::vector<std::pair<Value, Value>>;
using Result = absl::StatusOr<Value>;
using FunctionPointer = Result (*)(Context& context, const Arguments& arguments);

class Function : public Object {
 public:
  explicit Function(FunctionPointer function) : function_(function) {}
  absl::string_view TypeName() const override { return "function"; }
  bool IsCallable() const override { return true; }
  Result Call(Context& context, const Arguments& arguments) override {
    return function_(context, arguments);
  }

 private:
  FunctionPointer function_;
};

Result Range(Context& context, const Arguments& arguments) {
  // Jinja's sandbox has the same bound.
  constexpr int64_t kMaxRange = 100'000;
  const std::vector<Value>& given = arguments.positional;
  if (!arguments.named.empty() || given.empty() || given.size() > 3) {
    return absl::InvalidArgumentError("'range' takes 1 to 3 numbers");
  }
  std::array<int64_t, 3> parts = {0, 0, 1};
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_integral())
      return TypeError(given[i], "was given to 'range', which needs whole numbers");
    parts[given.size() == 1 ? 1 : i] = given[i].AsInt();
  }
  const auto [start, stop, step] = parts;
  if (step == 0) return absl::InvalidArgumentError("the step of 'range' cannot be zero");
  std::vector<Value> items;
  WEFT_RETURN_IF_ERROR(context.Step());
  int64_t i = start;
  while (step > 0 ? i < stop : i > stop) {
    if (items.size() == kMaxRange) {
      return absl::InvalidArgumentError(
          absl::StrCat("'range' gives at most ", kMaxRange, " numbers"));
    }
    items.push_back(Value::MakeInt(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  WEFT_RETURN_IF_ERROR(context.Step(items.size()));
  std::string label =
      absl::StrCat("range(", start, ", ", stop, step == 1 ? "" : absl::StrCat(", ", step), ")");
  return context.NewSequence(SequenceKind::kRange, std::move(items), std::move(label));
}

// What dict(mapping or pairs, **named) holds.
absl::StatusOr<Entries> DictEntries(Context& context, absl::string_view function,
                                    const Arguments& arguments) {
  Entries entries;
  if (arguments.positional.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", function, "' takes at most one positional argument"));
  }
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.is_dict()) {
      WEFT_RETURN_IF_ERROR(context.Step(from.AsDict().entries.size()));
      WEFT_RETURN_IF_ERROR(context.Charge(from.AsDict().entries.size() * sizeof(entries[0])));
      entries = from.AsDict().entries;
    } else {
      WEFT_ASSIGN_OR_RETURN(const std::vector<Value> pairs, Items(context, from));
      for (const Value& item : pairs) {
        WEFT_ASSIGN_OR_RETURN(const std::vector<Value> pair, Items(context, item));
        if (pair.size() != 2)
          return absl::InvalidArgumentError(
              absl::StrCat("'", function, "' needs pairs of key and value"));
        WEFT_RETURN_IF_ERROR(Insert(context, entries, pair[0], pair[1]));
      }
    }
  }
  for (const auto& [name, value] : arguments.named) {
    WEFT_RETURN_IF_ERROR(Insert(context, entries, name, value));
  }
  return entries;
}

Result MakeDict(Context& context, const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(Entries entries, DictEntries(context, "dict", arguments));
  return context.NewDict(std::move(entries));
}

Result MakeNamespace(Context& context, const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(Entries entries, DictEntries(context, "namespace", arguments));
  auto space = std::make_unique<Namespace>();
  for (auto& [name, value] : entries) {
    if (!name.is_string()) return TypeError(name, "cannot be an attribute's name");
    WEFT_RETURN_IF_ERROR(space->Set(context, name, std::move(value)));
  }
  WEFT_ASSIGN_OR_RETURN(Object * object, context.NewObject(std::move(space)));
  return Value::MakeObject(object);
}

Result RaiseException(Context& context, const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const auto bound, Bind(arguments, "'raise_exception'", {"message"}, 1));
  WEFT_ASSIGN_OR_RETURN(const Value message, Str(context, *bound[0]));
  return context.Raise(message.AsString());
}

Result FormatNow(Context& context, const Arguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const auto bound, Bind(arguments, "'strftime_now'", {"format"}, 1));
  if (!bound[0]->is_string()) return TypeError(*bound[0], "is no format of 'strftime_now'");
  const std::string& format = bound[0]->AsString();
  // One conversion of two characters gives at most some 50 (%c); widths such as %1000d end in the
  // buffer's limit.
  const size_t room = 64 + format.size() * 32;
  WEFT_RETURN_IF_ERROR(context.CheckText(room));
  WEFT_RETURN_IF_ERROR(context.Scan(room));
  WEFT_RETURN_IF_ERROR(context.Charge(room));
  std::string text(room, '\0');
  const size_t size = std::strftime(text.data(), text.size(), format.c_str(), &context.now());
  text.resize(size);
  text.shrink_to_fit();
  return context.NewString(std::move(text));
}

}  // namespace

absl::StatusOr<std::vector<std::pair<absl::string_view, Value>>> GlobalFunctions(Context& context) {
  static constexpr std::pair<absl::string_view, FunctionPointer> kFunctions[] = {
      {"range", Range},
      {"dict", MakeDict},
      {"namespace", MakeNamespace},
      {"raise_exception", RaiseException},
      {"strftime_now", FormatNow},
  };
  std::vector<std::pair<absl::string_view, Value>> globals;
  for (const auto& [name, function] : kFunctions) {
    WEFT_ASSIGN_OR_RETURN(Object * object, context.NewObject(std::make_unique<Function>(function)));
    globals.emplace_back(name, Value::MakeObject(object));
  }
  return globals;
}

}  // namespace weft::jinja
