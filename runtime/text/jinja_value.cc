#include "runtime/text/jinja_value.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_context.h"

namespace weft::jinja {

Value Value::MakeUndefined(std::string what) {
  Value v;
  v.data_ = Nothing{std::make_shared<const std::string>(std::move(what))};
  return v;
}

Value Value::MakeNone() {
  Value v;
  v.data_ = std::monostate();
  return v;
}

Value Value::MakeBool(bool value) {
  Value v;
  v.data_ = value;
  return v;
}

Value Value::MakeInt(int64_t value) {
  Value v;
  v.data_ = value;
  return v;
}

Value Value::MakeFloat(double value) {
  Value v;
  v.data_ = value;
  return v;
}

Value Value::MakeString(std::string value) {
  Value v;
  v.data_ = std::make_shared<const std::string>(std::move(value));
  return v;
}

Value Value::MakeSequence(std::shared_ptr<const Sequence> value) {
  Value v;
  v.data_ = std::move(value);
  return v;
}

Value Value::MakeDict(std::shared_ptr<const Dict> value) {
  Value v;
  v.data_ = std::move(value);
  return v;
}

Value Value::MakeObject(Object* value) {
  Value v;
  v.data_ = value;
  return v;
}

const std::string& Value::AsString() const {
  return *std::get<std::shared_ptr<const std::string>>(data_);
}

const Sequence& Value::AsSequence() const { return *SharedSequence(); }

const std::shared_ptr<const Sequence>& Value::SharedSequence() const {
  return std::get<std::shared_ptr<const Sequence>>(data_);
}

const Dict& Value::AsDict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }

bool Value::Truthy() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return AsBool();
    case Kind::kInt:
      return AsInt() != 0;
    case Kind::kFloat:
      return AsFloat() != 0.0;
    case Kind::kString:
      return !AsString().empty();
    case Kind::kSequence:
      return AsSequence().kind == SequenceKind::kIterator || !AsSequence().items.empty();
    case Kind::kDict:
      return !AsDict().entries.empty();
    case Kind::kObject:
      return true;
  }
  return false;
}

absl::string_view Value::TypeName() const {
  switch (kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kSequence:
      switch (AsSequence().kind) {
        case SequenceKind::kList:
          return "list";
        case SequenceKind::kTuple:
          return "tuple";
        case SequenceKind::kRange:
          return "range";
        case SequenceKind::kView:
          return AsSequence().label;
        case SequenceKind::kIterator:
          return "generator";
      }
      return "list";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return AsObject().TypeName();
  }
  return "?";
}

std::string Value::UndefinedReason() const {
  const Nothing* nothing = std::get_if<Nothing>(&data_);
  return nothing != nullptr && nothing->what != nullptr ? *nothing->what : "the value is undefined";
}

int Value::depth() const {
  if (is_sequence()) return AsSequence().depth;
  return is_dict() ? AsDict().depth : 0;
}

absl::StatusOr<Value> Object::Attribute(Context& context, absl::string_view name) {
  return context.NewUndefined(
      absl::StrCat("'", TypeName(), "' has no attribute '", Shown(name), "'"));
}

absl::StatusOr<Value> Object::Call(Context&, const Arguments&) {
  return absl::InvalidArgumentError(absl::StrCat("'", TypeName(), "' is not callable"));
}

absl::StatusOr<Value> Namespace::Attribute(Context& context, absl::string_view name) {
  WEFT_RETURN_IF_ERROR(context.Read(name.size()));
  if (auto it = places_.find(name); it != places_.end()) return attributes_[it->second].second;
  return Object::Attribute(context, name);
}

absl::Status Namespace::Set(Context& context, const Value& name, Value value) {
  WEFT_RETURN_IF_ERROR(context.Read(name.AsString().size()));
  if (auto it = places_.find(name.AsString()); it != places_.end()) {
    attributes_[it->second].second = std::move(value);
    return absl::OkStatus();
  }
  // Tables that double have twice the room they need, and the half of it while they grow.
  WEFT_RETURN_IF_ERROR(
      context.Charge(3 * (sizeof(attributes_[0]) + sizeof(decltype(places_)::value_type) + 1)));
  attributes_.emplace_back(name, std::move(value));
  places_.emplace(attributes_.back().first.AsString(), attributes_.size() - 1);
  return absl::OkStatus();
}

}  // namespace weft::jinja
