// The values a chat template computes with: Python's, as far as templates can tell them apart.
//
// Everything a template can reach is immutable (transformers renders in a sandbox that forbids
// mutation), so values share their contents; the exception, a namespace, is an Object. Objects
// belong to the Context of one rendering, which frees them at its end: a namespace may refer to
// itself, and counted references would leak then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/hash_map.h"

namespace weft::jinja {

class Context;
class Namespace;
class Object;
class Value;
struct Dict;
struct Sequence;

// In the order of Value's variant.
enum class Kind { kUndefined, kNone, kBool, kInt, kFloat, kString, kSequence, kDict, kObject };

class Value {
 public:
  // Undefined with no known reason.
  Value() = default;
  // `what` is the error text for whoever uses the value: "'foo' is undefined". Uncharged, as
  // MakeString is; Context::NewUndefined is not.
  static Value MakeUndefined(std::string what);
  static Value MakeNone();
  static Value MakeBool(bool value);
  static Value MakeInt(int64_t value);
  static Value MakeFloat(double value);
  // Uncharged: for text that exists already (template literals, input). Context::NewString for what
  // a template computes.
  static Value MakeString(std::string value);
  static Value MakeSequence(std::shared_ptr<const Sequence> value);
  static Value MakeDict(std::shared_ptr<const Dict> value);
  static Value MakeObject(Object* value);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is_undefined() const { return kind() == Kind::kUndefined; }
  bool is_none() const { return kind() == Kind::kNone; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_int() const { return kind() == Kind::kInt; }
  bool is_float() const { return kind() == Kind::kFloat; }
  // Python's bool is an int.
  bool is_integral() const { return is_bool() || is_int(); }
  bool is_number() const { return is_integral() || is_float(); }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_sequence() const { return kind() == Kind::kSequence; }
  bool is_dict() const { return kind() == Kind::kDict; }
  bool is_object() const { return kind() == Kind::kObject; }

  // Each needs the kind it names.
  bool AsBool() const { return std::get<bool>(data_); }
  int64_t AsInt() const { return is_bool() ? int64_t{AsBool()} : std::get<int64_t>(data_); }
  double AsFloat() const { return is_float() ? std::get<double>(data_) : double(AsInt()); }
  const std::string& AsString() const;
  const Sequence& AsSequence() const;
  const std::shared_ptr<const Sequence>& SharedSequence() const;
  const Dict& AsDict() const;
  Object& AsObject() const { return *std::get<Object*>(data_); }

  // Python's truth; undefined is false.
  bool Truthy() const;
  // How Python names the type: "str", "list", "NoneType".
  absl::string_view TypeName() const;
  // The text for an error that comes of using this undefined value.
  std::string UndefinedReason() const;
  // 0 for a plain value, else 1 + that of the deepest member.
  int depth() const;

 private:
  struct Nothing {
    std::shared_ptr<const std::string> what;
  };
  std::variant<Nothing, std::monostate, bool, int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, Object*>
      data_;
};

using Entry = std::pair<Value, Value>;

enum class SequenceKind {
  kList,
  kTuple,
  kRange,     // label: how it prints, "range(0, 3)"
  kView,      // dict.keys() and its sisters; label: "dict_keys"
  kIterator,  // what lazy filters such as `map` give: it can be walked once and has no length
};

struct Sequence {
  SequenceKind kind = SequenceKind::kList;
  std::vector<Value> items;
  std::string label;
  int depth = 1;
  mutable size_t next = 0;  // iterators: the first item not yet taken
};

// Keys are unique and hashable, in order of insertion.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;
};

// A name is a text that values share, and no copy: a template chooses how long it is, and how often
// it is passed on.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<Value, Value>> named;
};

// What only has identity: namespaces, macros, loop variables, functions, bound methods.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  virtual absl::string_view TypeName() const = 0;
  // Undefined when there is no such attribute.
  virtual absl::StatusOr<Value> Attribute(Context& context, absl::string_view name);
  virtual bool IsCallable() const { return false; }
  virtual absl::StatusOr<Value> Call(Context& context, const Arguments& arguments);
  virtual Namespace* AsNamespace() { return nullptr; }
};

// {% set ns = namespace(found=false) %}: the one thing a template may change.
class Namespace : public Object {
 public:
  absl::string_view TypeName() const override { return "Namespace"; }
  absl::StatusOr<Value> Attribute(Context& context, absl::string_view name) override;
  Namespace* AsNamespace() override { return this; }
  // `name` is a text.
  absl::Status Set(Context& context, const Value& name, Value value);
  // In the order in which they were set first.
  const std::vector<std::pair<Value, Value>>& attributes() const { return attributes_; }

 private:
  std::vector<std::pair<Value, Value>> attributes_;
  HashMap<absl::string_view, size_t> places_;  // of the names, which attributes_ holds
};

}  // namespace weft::jinja
