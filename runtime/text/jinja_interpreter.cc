#include "runtime/text/jinja_interpreter.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_access.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_functions.h"
#include "runtime/text/jinja_operators.h"

namespace weft::jinja {
namespace {

class Macro : public Object {
 public:
  Macro(Interpreter& interpreter, const MacroDefinition& definition, Scope& scope)
      : interpreter_(interpreter), definition_(definition), scope_(scope) {}
  absl::string_view TypeName() const override { return "macro"; }
  bool IsCallable() const override { return true; }
  absl::StatusOr<Value> Attribute(Context& context, absl::string_view name) override {
    if (name == "name") return definition_.name;
    return Object::Attribute(context, name);
  }
  absl::StatusOr<Value> Call(Context&, const Arguments& arguments) override {
    return interpreter_.CallMacro(definition_, scope_, arguments);
  }

 private:
  Interpreter& interpreter_;
  const MacroDefinition& definition_;
  Scope& scope_;
};

// loop.cycle and loop.changed as values; they live as long as the loop, which the context owns too.
class Loop : public Object {
 public:
  Loop(Interpreter& interpreter, const ForStatement& statement, Scope& outer,
       std::vector<Value> items)
      : interpreter_(interpreter), statement_(statement), outer_(outer), items_(std::move(items)) {}

  // Moves on to the next item that passes the filter; false at the end. The filter is asked as late
  // as possible, as in Jinja: it may read a namespace that the loop's body changes.
  absl::StatusOr<bool> Advance() {
    WEFT_RETURN_IF_ERROR(Peek());
    if (!HasAhead()) return false;
    previous_ = std::exchange(current_, std::move(items_[ahead_++]));
    ++index_;
    return true;
  }
  const Value& current() const { return current_; }

  absl::string_view TypeName() const override { return "loop"; }

  absl::StatusOr<Value> Attribute(Context& context, absl::string_view name) override {
    if (name == "index") return Value::MakeInt(index_ + 1);
    if (name == "index0") return Value::MakeInt(index_);
    if (name == "first") return Value::MakeBool(index_ == 0);
    if (name == "depth") return Value::MakeInt(1);
    if (name == "depth0") return Value::MakeInt(0);
    if (name == "last") {
      WEFT_RETURN_IF_ERROR(Peek());
      return Value::MakeBool(!HasAhead());
    }
    if (name == "previtem") {
      if (index_ > 0) return previous_;
      return context.NewUndefined("the first item of a loop has no 'previtem'");
    }
    if (name == "nextitem") {
      WEFT_RETURN_IF_ERROR(Peek());
      if (HasAhead()) return items_[ahead_];
      return context.NewUndefined("the last item of a loop has no 'nextitem'");
    }
    if (name == "length" || name == "revindex" || name == "revindex0") {
      while (next_ < items_.size()) {
        WEFT_RETURN_IF_ERROR(Take());
      }
      const int64_t length = index_ + 1 + int64_t(ahead_end_ - ahead_);
      if (name == "length") return Value::MakeInt(length);
      return Value::MakeInt(length - index_ - (name == "revindex0" ? 1 : 0));
    }
    if (name == "cycle" || name == "changed") return NewMethod(context, name == "cycle");
    return Object::Attribute(context, name);
  }

 private:
  class Method : public Object {
   public:
    Method(Loop& loop, bool cycle) : loop_(loop), cycle_(cycle) {}
    absl::string_view TypeName() const override { return "method"; }
    bool IsCallable() const override { return true; }
    absl::StatusOr<Value> Call(Context& context, const Arguments& arguments) override {
      return cycle_ ? loop_.Cycle(arguments) : loop_.Changed(context, arguments);
    }

   private:
    Loop& loop_;
    bool cycle_;
  };

  absl::StatusOr<Value> NewMethod(Context& context, bool cycle) {
    Object*& method = cycle ? cycle_ : changed_;
    if (method == nullptr) {
      WEFT_ASSIGN_OR_RETURN(method, context.NewObject(std::make_unique<Method>(*this, cycle)));
    }
    return Value::MakeObject(method);
  }

  absl::StatusOr<Value> Cycle(const Arguments& arguments) const {
    if (arguments.positional.empty() || !arguments.named.empty()) {
      return absl::InvalidArgumentError("'loop.cycle' needs values to cycle through");
    }
    return arguments.positional[size_t(index_) % arguments.positional.size()];
  }

  absl::StatusOr<Value> Changed(Context& context, const Arguments& arguments) {
    WEFT_ASSIGN_OR_RETURN(const Value now,
                          context.NewSequence(SequenceKind::kTuple, arguments.positional));
    if (last_.has_value()) {
      WEFT_ASSIGN_OR_RETURN(const bool same, Equal(context, *last_, now));
      if (same) return Value::MakeBool(false);
    }
    last_ = now;
    return Value::MakeBool(true);
  }

  bool HasAhead() const { return ahead_ < ahead_end_; }

  // Takes one item; keeps it ahead if it passes the filter.
  absl::Status Take() {
    const Value item = std::move(items_[next_++]);
    bool passes = true;
    if (statement_.filter != nullptr) {
      WEFT_ASSIGN_OR_RETURN(passes, interpreter_.PassesFilter(statement_, outer_, item));
    }
    if (passes) items_[ahead_end_++] = item;
    return absl::OkStatus();
  }

  absl::Status Peek() {
    while (!HasAhead() && next_ < items_.size()) {
      WEFT_RETURN_IF_ERROR(Take());
    }
    return absl::OkStatus();
  }

  Interpreter& interpreter_;
  const ForStatement& statement_;
  Scope& outer_;
  // Those ahead have passed the filter, and moved to the front to fill the places of others.
  std::vector<Value> items_;
  size_t next_ = 0;  // the first not yet taken
  size_t ahead_ = 0;
  size_t ahead_end_ = 0;
  Value current_;
  Value previous_;
  std::optional<Value> last_;  // what `changed` saw last
  int64_t index_ = -1;
  Object* cycle_ = nullptr;
  Object* changed_ = nullptr;
};

}  // namespace

class Interpreter::Nested {
 public:
  Nested(Interpreter& interpreter, Scope& parent)
      : interpreter_(interpreter), before_(interpreter.scope_), scope_(std::make_unique<Scope>()) {
    scope_->parent = &parent;
    interpreter_.scope_ = scope_.get();
  }
  ~Nested() {
    interpreter_.scope_ = before_;
    if (scope_->captured) interpreter_.captured_.push_back(std::move(scope_));
  }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  Interpreter& interpreter_;
  Scope* before_;
  std::unique_ptr<Scope> scope_;
};

absl::StatusOr<std::string> Interpreter::Run(const Block& block, const Value& globals) {
  WEFT_ASSIGN_OR_RETURN(auto functions, GlobalFunctions(context_));
  for (auto& [name, function] : functions) globals_.names[name] = std::move(function);
  for (const auto& [name, value] : globals.AsDict().entries)
    globals_.names[name.AsString()] = value;
  root_.parent = &globals_;
  std::string out;
  WEFT_RETURN_IF_ERROR(RunBlock(block, out).status());
  return out;
}

absl::StatusOr<Interpreter::Flow> Interpreter::RunBlock(const Block& block, std::string& out) {
  for (const Statement& statement : block) {
    absl::StatusOr<Flow> flow = RunStatement(statement, out);
    if (!flow.ok()) return context_.Locate(flow.status(), statement.line);
    if (*flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::RunStatement(const Statement& statement,
                                                            std::string& out) {
  Context::DepthGuard guard(context_);
  WEFT_RETURN_IF_ERROR(guard.Check());
  WEFT_RETURN_IF_ERROR(context_.Step());
  return std::visit([&](const auto& node) { return Run(node, out); }, statement.node);
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const TextStatement& statement,
                                                   std::string& out) {
  WEFT_RETURN_IF_ERROR(context_.Append(out, statement.text));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const OutputStatement& statement,
                                                   std::string& out) {
  WEFT_ASSIGN_OR_RETURN(const Value value, Evaluate(*statement.expr));
  WEFT_RETURN_IF_ERROR(AppendStr(context_, value, out));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const IfStatement& statement, std::string& out) {
  for (const IfStatement::Branch& branch : statement.branches) {
    if (branch.condition != nullptr) {
      WEFT_ASSIGN_OR_RETURN(const Value condition, Evaluate(*branch.condition));
      if (!condition.Truthy()) continue;
    }
    return RunBlock(branch.body, out);
  }
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const ForStatement& statement,
                                                   std::string& out) {
  WEFT_ASSIGN_OR_RETURN(const Value iterable, Evaluate(*statement.iterable));
  WEFT_ASSIGN_OR_RETURN(std::vector<Value> items, Items(context_, iterable));
  // Loops stay until the rendering ends.
  WEFT_RETURN_IF_ERROR(context_.Charge(sizeof(Loop) + items.capacity() * sizeof(Value)));
  // The filter is evaluated here, even if the loop variable is kept in a namespace and asked for
  // more later.
  if (statement.filter != nullptr) {
    WEFT_RETURN_IF_ERROR(CaptureScope());
  }
  auto owned = std::make_unique<Loop>(*this, statement, *scope_, std::move(items));
  Loop& loop = *owned;
  WEFT_ASSIGN_OR_RETURN(Object * object, context_.NewObject(std::move(owned)));
  // As in Jinja, a turn counts for `else` only if neither `break` nor `continue` ends it.
  bool any = false;
  while (true) {
    WEFT_ASSIGN_OR_RETURN(const bool more, loop.Advance());
    if (!more) break;
    WEFT_RETURN_IF_ERROR(context_.Step());
    Nested nested(*this, *scope_);
    WEFT_RETURN_IF_ERROR(Assign(statement.target, loop.current()));
    WEFT_RETURN_IF_ERROR(Define("loop", Value::MakeObject(object)));
    WEFT_ASSIGN_OR_RETURN(const Flow flow, RunBlock(statement.body, out));
    if (flow == Flow::kBreak) break;
    any = any || flow == Flow::kNext;
  }
  if (any) return Flow::kNext;
  Nested nested(*this, *scope_);
  return RunBlock(statement.otherwise, out);
}

absl::StatusOr<bool> Interpreter::PassesFilter(const ForStatement& loop, Scope& outer,
                                               const Value& item) {
  Nested nested(*this, outer);
  WEFT_RETURN_IF_ERROR(Assign(loop.target, item));
  WEFT_ASSIGN_OR_RETURN(const Value passes, Evaluate(*loop.filter));
  return passes.Truthy();
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const SetStatement& statement, std::string&) {
  WEFT_ASSIGN_OR_RETURN(const Value value, Evaluate(*statement.expr));
  WEFT_RETURN_IF_ERROR(Assign(statement.target, value));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const SetBlockStatement& statement,
                                                   std::string&) {
  std::string text;
  {
    Nested nested(*this, *scope_);
    WEFT_ASSIGN_OR_RETURN(const Flow flow, RunBlock(statement.body, text));
    if (flow != Flow::kNext) return flow;
  }
  WEFT_ASSIGN_OR_RETURN(Value value, context_.NewString(std::move(text)));
  if (statement.filter != nullptr) {
    const Value input = value;
    WEFT_ASSIGN_OR_RETURN(value, EvaluateFilter(*statement.filter, &input));
  }
  WEFT_RETURN_IF_ERROR(Assign(statement.target, value));
  return Flow::kNext;
}

absl::Status Interpreter::CaptureScope() {
  for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent) {
    WEFT_RETURN_IF_ERROR(context_.Step());
    WEFT_RETURN_IF_ERROR(context_.Charge(2 * sizeof(Scope)));
    scope->captured = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<Value> Interpreter::NewMacro(const MacroDefinition& macro) {
  WEFT_RETURN_IF_ERROR(CaptureScope());
  WEFT_ASSIGN_OR_RETURN(Object * object,
                        context_.NewObject(std::make_unique<Macro>(*this, macro, *scope_)));
  return Value::MakeObject(object);
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const MacroStatement& statement, std::string&) {
  WEFT_ASSIGN_OR_RETURN(Value macro, NewMacro(*statement.macro));
  WEFT_RETURN_IF_ERROR(Define(statement.macro->name.AsString(), std::move(macro)));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const CallStatement& statement,
                                                   std::string& out) {
  WEFT_ASSIGN_OR_RETURN(const Value caller, NewMacro(*statement.caller));
  WEFT_ASSIGN_OR_RETURN(const Value result, EvaluateCall(*statement.call, &caller));
  WEFT_RETURN_IF_ERROR(AppendStr(context_, result, out));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const FilterStatement& statement,
                                                   std::string& out) {
  Nested nested(*this, *scope_);
  std::string text;
  WEFT_ASSIGN_OR_RETURN(const Flow flow, RunBlock(statement.body, text));
  if (flow != Flow::kNext) return flow;
  WEFT_ASSIGN_OR_RETURN(const Value input, context_.NewString(std::move(text)));
  WEFT_ASSIGN_OR_RETURN(const Value result, EvaluateFilter(*statement.filter, &input));
  WEFT_RETURN_IF_ERROR(AppendStr(context_, result, out));
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const WithStatement& statement,
                                                   std::string& out) {
  // The values see the names of outside, not each other.
  std::vector<Value> values;
  WEFT_RETURN_IF_ERROR(context_.ChargeGrowing<Value>(statement.assignments.size()));
  for (const auto& [target, expr] : statement.assignments) {
    WEFT_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    values.push_back(std::move(value));
  }
  Nested nested(*this, *scope_);
  for (size_t i = 0; i < values.size(); ++i) {
    WEFT_RETURN_IF_ERROR(Assign(statement.assignments[i].first, values[i]));
  }
  return RunBlock(statement.body, out);
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const ScopeStatement& statement,
                                                   std::string& out) {
  Nested nested(*this, *scope_);
  return RunBlock(statement.body, out);
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const BreakStatement&, std::string&) {
  return Flow::kBreak;
}

absl::StatusOr<Interpreter::Flow> Interpreter::Run(const ContinueStatement&, std::string&) {
  return Flow::kContinue;
}

absl::Status Interpreter::Define(absl::string_view name, Value value) {
  WEFT_RETURN_IF_ERROR(context_.Read(name.size()));
  if (auto it = scope_->names.find(name); it != scope_->names.end()) {
    it->second = std::move(value);
    return absl::OkStatus();
  }
  using Slot = decltype(scope_->names)::value_type;
  WEFT_RETURN_IF_ERROR(context_.ChargeGrowing<Slot>(1));
  scope_->names.emplace(name, std::move(value));
  return absl::OkStatus();
}

absl::Status Interpreter::Assign(const Target& target, const Value& value) {
  if (target.is_tuple) {
    Context::DepthGuard guard(context_);
    WEFT_RETURN_IF_ERROR(guard.Check());
    WEFT_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(context_, value));
    if (items.size() != target.items.size()) {
      return absl::InvalidArgumentError(absl::StrCat(items.size(), " values cannot be assigned to ",
                                                     target.items.size(), " names"));
    }
    for (size_t i = 0; i < items.size(); ++i) {
      WEFT_RETURN_IF_ERROR(Assign(target.items[i], items[i]));
    }
    return absl::OkStatus();
  }
  if (target.attribute.is_undefined()) return Define(target.name, value);
  WEFT_ASSIGN_OR_RETURN(const Value object, Resolve(target.name));
  Namespace* space = object.is_object() ? object.AsObject().AsNamespace() : nullptr;
  if (space == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Shown(target.name), "' is no namespace, so '",
                     Shown(target.attribute.AsString()), "' of it cannot be set"));
  }
  return space->Set(context_, target.attribute, value);
}

absl::Status Interpreter::BindParameters(const MacroDefinition& macro, const Arguments& arguments) {
  const std::vector<Value>& given = arguments.positional;
  std::vector<std::pair<Value, Value>> named = arguments.named;
  HashMap<absl::string_view, size_t> places;
  WEFT_RETURN_IF_ERROR(context_.Charge(named.size() * sizeof(named[0])));
  WEFT_RETURN_IF_ERROR(
      context_.ChargeGrowing<decltype(places)::value_type>(arguments.named.size()));
  for (size_t i = 0; i < named.size(); ++i) {
    const absl::string_view name = arguments.named[i].first.AsString();
    WEFT_RETURN_IF_ERROR(context_.Read(name.size()));
    if (!places.emplace(name, i).second) {
      return absl::InvalidArgumentError(absl::StrCat("macro '", Shown(macro.name.AsString()),
                                                     "' got argument '", Shown(name),
                                                     "' more than once"));
    }
  }
  // Moves an argument out of `named`; its name goes too.
  auto take = [&](absl::string_view name) -> std::optional<Value> {
    const auto it = places.find(name);
    if (it == places.end()) return std::nullopt;
    named[it->second].first = Value();
    std::optional<Value> value(std::move(named[it->second].second));
    places.erase(it);
    return value;
  };
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const MacroDefinition::Parameter& parameter = macro.parameters[i];
    WEFT_RETURN_IF_ERROR(context_.Read(parameter.name.size()));
    std::optional<Value> value;
    if (i < given.size()) {
      value = given[i];
    } else {
      value = take(parameter.name);
    }
    if (!value.has_value() && parameter.default_value != nullptr) {
      WEFT_ASSIGN_OR_RETURN(value, Evaluate(*parameter.default_value));
    }
    if (!value.has_value()) {
      WEFT_ASSIGN_OR_RETURN(value, context_.NewUndefined(absl::StrCat(
                                       "parameter '", Shown(parameter.name), "' was not given")));
    }
    WEFT_RETURN_IF_ERROR(Define(parameter.name, *std::move(value)));
  }
  if (macro.uses_caller && !scope_->names.contains("caller")) {
    std::optional<Value> caller = take("caller");
    if (!caller.has_value()) {
      WEFT_ASSIGN_OR_RETURN(caller, context_.NewUndefined("no caller is defined"));
    }
    WEFT_RETURN_IF_ERROR(Define("caller", *std::move(caller)));
  }
  std::erase_if(named, [](const auto& argument) { return argument.first.is_undefined(); });
  if (macro.uses_kwargs) {
    WEFT_ASSIGN_OR_RETURN(Value rest, context_.NewDict(std::move(named)));
    WEFT_RETURN_IF_ERROR(Define("kwargs", std::move(rest)));
  } else if (!named.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("macro '", Shown(macro.name.AsString()),
                                                   "' has no parameter '",
                                                   Shown(named[0].first.AsString()), "'"));
  }
  const size_t used = std::min(given.size(), macro.parameters.size());
  if (macro.uses_varargs) {
    WEFT_RETURN_IF_ERROR(context_.Step(given.size() - used));
    WEFT_ASSIGN_OR_RETURN(
        Value rest, context_.NewSequence(SequenceKind::kTuple,
                                         {given.begin() + std::ptrdiff_t(used), given.end()}));
    WEFT_RETURN_IF_ERROR(Define("varargs", std::move(rest)));
  } else if (given.size() > used) {
    return absl::InvalidArgumentError(absl::StrCat("macro '", Shown(macro.name.AsString()),
                                                   "' takes at most ", used, " arguments, not ",
                                                   given.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Value> Interpreter::CallMacro(const MacroDefinition& macro, Scope& definition_scope,
                                             const Arguments& arguments) {
  Context::DepthGuard guard(context_);
  WEFT_RETURN_IF_ERROR(guard.Check());
  Nested nested(*this, definition_scope);
  WEFT_RETURN_IF_ERROR(BindParameters(macro, arguments));
  std::string text;
  WEFT_RETURN_IF_ERROR(RunBlock(macro.body, text).status());
  return context_.NewString(std::move(text));
}

}  // namespace weft::jinja
