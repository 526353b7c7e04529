#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft::ir {
namespace {

using absl::Status;
using absl::StatusOr;

#define WEFT_RETURN_IF_ERROR(expression) \
  if (Status status_ = (expression); !status_.ok()) return status_

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  // With `verify`, an error of the verifier gives line and column of the node or tensor it is
  // about, or of the return.
  StatusOr<Module> Parse(bool verify) {
    Module module;
    WEFT_RETURN_IF_ERROR(Keyword("module"));
    WEFT_RETURN_IF_ERROR(Quoted(&module.name));
    WEFT_RETURN_IF_ERROR(Punct('{'));
    while (Peek("tensor")) WEFT_RETURN_IF_ERROR(Tensor(&module));
    while (Next() == '%') WEFT_RETURN_IF_ERROR(NodeLine(&module));
    SkipSpace();
    const size_t return_start = at_;
    WEFT_RETURN_IF_ERROR(Keyword("return"));
    do {
      NodeId id = -1;
      WEFT_RETURN_IF_ERROR(Value(&id));
      module.outputs.push_back(id);
    } while (Take(','));
    WEFT_RETURN_IF_ERROR(Punct('}'));
    SkipSpace();
    if (at_ != text_.size()) return Error("the end of the text");
    if (!verify) return module;
    NodeId culprit = -1;
    size_t tensor = 0;
    if (Status status = Verify(module, &culprit, &tensor); !status.ok()) {
      size_t at = return_start;
      if (tensor < tensor_starts_.size()) at = tensor_starts_[tensor];
      if (culprit >= 0) at = starts_[culprit];
      return absl::Status(status.code(), absl::StrCat(LineAndColumn(at), ": ", status.message()));
    }
    return module;
  }

 private:
  std::string LineAndColumn(size_t at) const {
    const absl::string_view before = text_.substr(0, at);
    const size_t newline = before.rfind('\n');
    return absl::StrCat(1 + std::ranges::count(before, '\n'), ":",
                        newline == absl::string_view::npos ? at + 1 : at - newline);
  }

  Status Error(absl::string_view expected) {
    SkipSpace();
    absl::string_view found = text_.substr(at_, 20);
    found = found.substr(0, found.find('\n'));
    return absl::InvalidArgumentError(absl::StrCat(
        LineAndColumn(at_), ": expected ", expected,
        at_ == text_.size() ? ", found the end" : absl::StrCat(", found '", found, "'")));
  }

  Status ErrorAt(size_t at, absl::string_view expected) {
    at_ = at;
    return Error(expected);
  }

  // White space and comments from "//" to the end of the line.
  void SkipSpace() {
    while (at_ < text_.size()) {
      if (absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        break;
      }
    }
  }

  char Next() {
    SkipSpace();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool Take(char c) {
    if (Next() != c) return false;
    ++at_;
    return true;
  }

  Status Punct(char c) {
    return Take(c) ? absl::OkStatus() : Error(absl::StrCat("'", absl::string_view(&c, 1), "'"));
  }

  absl::string_view PeekWord() {
    SkipSpace();
    size_t end = at_;
    while (end < text_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_')) {
      ++end;
    }
    return text_.substr(at_, end - at_);
  }

  bool Peek(absl::string_view word) { return PeekWord() == word; }

  Status Keyword(absl::string_view word) {
    if (!Peek(word)) return Error(absl::StrCat("'", word, "'"));
    at_ += word.size();
    return absl::OkStatus();
  }

  Status Quoted(std::string* out) {
    if (Next() != '"') return Error("a quoted string");
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n')
      end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size() || text_[end] != '"') return Error("a string with a closing quote");
    if (!absl::CUnescape(text_.substr(at_ + 1, end - at_ - 1), out))
      return Error("a string with C escapes");
    at_ = end + 1;
    return absl::OkStatus();
  }

  template <typename T>
  Status Number(T* out, absl::string_view expected) {
    SkipSpace();
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), *out);
    if (error != std::errc()) return Error(expected);
    at_ = static_cast<size_t>(end - text_.data());
    return absl::OkStatus();
  }

  Status Dimension(Dim* out) {
    const Symbol symbol = SymbolOf(Next());
    if (symbol != Symbol::kNone) {
      ++at_;
      *out = symbol;
      return absl::OkStatus();
    }
    int64_t value = 0;
    WEFT_RETURN_IF_ERROR(Number(&value, "a dim: a number, T, L or S"));
    *out = value;
    return absl::OkStatus();
  }

  Status TypeText(Type* out) {
    const absl::string_view word = PeekWord();
    const auto dtype = ParseDataType(word);
    if (!dtype) return Error("an element type");
    out->dtype = *dtype;
    at_ += word.size();
    WEFT_RETURN_IF_ERROR(Punct('['));
    if (Next() != ']') {
      do {
        Dim dim = 0;
        WEFT_RETURN_IF_ERROR(Dimension(&dim));
        out->dims.push_back(dim);
      } while (Take(','));
    }
    WEFT_RETURN_IF_ERROR(Punct(']'));
    // A layout stands right behind the bracket; an attribute list never follows a type without a
    // space.
    if (at_ < text_.size() && text_[at_] == '{') {
      ++at_;
      const absl::string_view layout = PeekWord();
      if (!ParseLayout(layout, &out->layout)) {
        return Error(absl::StrCat(
            "a layout: ", absl::StrJoin(kLayouts, " or ", [](std::string* text, Layout each) {
              absl::StrAppend(text, Name(each));
            })));
      }
      at_ += layout.size();
      WEFT_RETURN_IF_ERROR(Punct('}'));
    }
    return absl::OkStatus();
  }

  Status Tensor(Module* module) {
    SourceTensor tensor;
    SkipSpace();
    tensor_starts_.push_back(at_);
    WEFT_RETURN_IF_ERROR(Keyword("tensor"));
    WEFT_RETURN_IF_ERROR(Quoted(&tensor.name));
    WEFT_RETURN_IF_ERROR(Punct(':'));
    SkipSpace();
    const size_t start = at_;
    Type type;
    WEFT_RETURN_IF_ERROR(TypeText(&type));
    tensor.dtype = type.dtype;
    for (const Dim& dim : type.dims) {
      if (dim.is_symbol()) return ErrorAt(start, "dims that are numbers");
      tensor.dims.push_back(dim.value());
    }
    if (type.layout != Layout::kRows) return ErrorAt(start, "a tensor in rows");
    const StatusOr<uint64_t> bytes = TensorBytes(tensor.dtype, tensor.dims);
    if (!bytes.ok()) {
      return ErrorAt(start, absl::StrCat("the type of a tensor (", bytes.status().message(), ")"));
    }
    tensor.bytes = *bytes;
    WEFT_RETURN_IF_ERROR(Punct('{'));
    WEFT_RETURN_IF_ERROR(Keyword("file"));
    WEFT_RETURN_IF_ERROR(Punct('='));
    if (Next() == '-') return Error("a file number");
    WEFT_RETURN_IF_ERROR(Number(&tensor.file, "a file number"));
    WEFT_RETURN_IF_ERROR(Punct(','));
    WEFT_RETURN_IF_ERROR(Keyword("offset"));
    WEFT_RETURN_IF_ERROR(Punct('='));
    WEFT_RETURN_IF_ERROR(Number(&tensor.offset, "an offset"));
    WEFT_RETURN_IF_ERROR(Punct('}'));
    module->AddTensor(std::move(tensor));
    return absl::OkStatus();
  }

  // A value that a node before has defined.
  Status Value(NodeId* out) {
    if (Next() != '%') return Error("a value, %n");
    const size_t start = at_++;
    int64_t number = 0;
    WEFT_RETURN_IF_ERROR(Number(&number, "a number after %"));
    auto found = ids_.find(number);
    if (found == ids_.end()) return ErrorAt(start, "a value that is defined before its use");
    *out = found->second;
    return absl::OkStatus();
  }

  template <typename T, typename One>
  Status List(std::vector<T>* out, One one) {
    WEFT_RETURN_IF_ERROR(Punct('['));
    if (Take(']')) return absl::OkStatus();
    do {
      T value{};
      WEFT_RETURN_IF_ERROR(one(&value));
      out->push_back(std::move(value));
    } while (Take(','));
    return Punct(']');
  }

  Status AttrText(AttrKind kind, AttrValue* out) {
    const auto integer = [this](int64_t* value) { return Number(value, "an integer"); };
    const auto floating = [this](double* value) { return Number(value, "a float"); };
    const auto quoted = [this](std::string* value) { return Quoted(value); };
    switch (kind) {
      case AttrKind::kBool: {
        const bool value = Peek("true");
        *out = value;
        if (!value && !Peek("false")) return Error("true or false");
        return Keyword(value ? "true" : "false");
      }
      case AttrKind::kInt:
        return integer(&out->emplace<int64_t>());
      case AttrKind::kFloat:
        return floating(&out->emplace<double>());
      case AttrKind::kString:
        return quoted(&out->emplace<std::string>());
      case AttrKind::kInts:
        return List(&out->emplace<std::vector<int64_t>>(), integer);
      case AttrKind::kFloats:
        return List(&out->emplace<std::vector<double>>(), floating);
      case AttrKind::kStrings:
        return List(&out->emplace<std::vector<std::string>>(), quoted);
    }
    return Error("an attribute");
  }

  Status Attributes(Node* node) {
    if (!Take('{')) return absl::OkStatus();
    do {
      const absl::string_view word = PeekWord();
      const auto attr = ParseAttr(word);
      if (!attr) return Error("an attribute's name");
      if (node->Has(*attr)) return Error("an attribute that is not set already");
      at_ += word.size();
      WEFT_RETURN_IF_ERROR(Punct('='));
      AttrValue value;
      WEFT_RETURN_IF_ERROR(AttrText(GetInfo(*attr).kind, &value));
      node->Set(*attr, std::move(value));
    } while (Take(','));
    return Punct('}');
  }

  Status NodeLine(Module* module) {
    SkipSpace();
    const size_t start = at_;
    WEFT_RETURN_IF_ERROR(Punct('%'));
    int64_t number = 0;
    WEFT_RETURN_IF_ERROR(Number(&number, "a number after %"));
    if (ids_.contains(number))
      return ErrorAt(start, absl::StrCat("a new value (%", number, " is defined twice)"));
    WEFT_RETURN_IF_ERROR(Punct('='));
    const absl::string_view word = PeekWord();
    const auto op = ParseOp(word);
    if (!op) return Error("an op's name");
    at_ += word.size();
    Node node{.op = *op};
    if (Next() == '%') {
      do {
        WEFT_RETURN_IF_ERROR(Value(&node.operands.emplace_back(-1)));
      } while (Take(','));
    }
    WEFT_RETURN_IF_ERROR(Attributes(&node));
    WEFT_RETURN_IF_ERROR(Punct(':'));
    WEFT_RETURN_IF_ERROR(TypeText(&node.type));
    if (Take('@')) WEFT_RETURN_IF_ERROR(Quoted(&node.location));
    ids_[number] = module->Append(std::move(node));
    starts_.push_back(start);
    return absl::OkStatus();
  }

  absl::string_view text_;
  size_t at_ = 0;
  absl::flat_hash_map<int64_t, NodeId> ids_;  // by the number that the text gives
  std::vector<size_t> tensor_starts_;         // where the tensors stand in the text
  std::vector<size_t> starts_;                // by id: where the node stands in the text
};

}  // namespace

absl::StatusOr<Module> ParseWithoutVerifying(absl::string_view text) {
  return Parser(text).Parse(/*verify=*/false);
}

absl::StatusOr<Module> Parse(absl::string_view text) { return Parser(text).Parse(/*verify=*/true); }

}  // namespace weft::ir
