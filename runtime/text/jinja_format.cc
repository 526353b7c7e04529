#include "runtime/text/jinja_format.h"

#include <utf8proc.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_number.h"
#include "runtime/text/jinja_text.h"

namespace weft::jinja {
namespace {

// str.isprintable of one code point.
bool IsPrintable(uint32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(utf8proc_int32_t(c))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

absl::Status AppendQuoted(Context& context, absl::string_view text, std::string& out) {
  // \UXXXXXXXX and the quote at the end.
  constexpr size_t kMost = 11;
  WEFT_RETURN_IF_ERROR(context.Scan(text.size()));
  WEFT_RETURN_IF_ERROR(context.Grow(out, kMost));
  const bool has_single = text.find('\'') != absl::string_view::npos;
  const char quote = has_single && text.find('"') == absl::string_view::npos ? '"' : '\'';
  out += quote;
  for (size_t i = 0; i < text.size();) {
    if (out.capacity() - out.size() < kMost) {
      WEFT_RETURN_IF_ERROR(context.Grow(out, kMost));
    }
    const CodePoint c = DecodeAt(text, i);
    if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value == uint32_t(quote) || c.value == '\\') {
      out += '\\';
      out += char(c.value);
    } else if (c.valid && IsPrintable(c.value)) {
      absl::StrAppend(&out, text.substr(i, c.bytes));
    } else if (c.value < 0x100) {
      AppendHex('x', 2, c.value, out);
    } else if (c.value < 0x10000) {
      AppendHex('u', 4, c.value, out);
    } else {
      AppendHex('U', 8, c.value, out);
    }
    i += c.bytes;
  }
  out += quote;
  return absl::OkStatus();
}

absl::Status AppendItems(Context& context, const std::vector<Value>& items, std::string& out) {
  absl::string_view separator;
  for (const Value& item : items) {
    absl::StrAppend(&out, std::exchange(separator, ", "));
    WEFT_RETURN_IF_ERROR(AppendRepr(context, item, out));
  }
  return absl::OkStatus();
}

absl::Status AppendSequence(Context& context, const Sequence& sequence, std::string& out) {
  switch (sequence.kind) {
    case SequenceKind::kList:
      out += '[';
      WEFT_RETURN_IF_ERROR(AppendItems(context, sequence.items, out));
      out += ']';
      return absl::OkStatus();
    case SequenceKind::kTuple:
      out += '(';
      WEFT_RETURN_IF_ERROR(AppendItems(context, sequence.items, out));
      out += sequence.items.size() == 1 ? ",)" : ")";
      return absl::OkStatus();
    case SequenceKind::kRange:
      out += sequence.label;
      return absl::OkStatus();
    case SequenceKind::kView:
      absl::StrAppend(&out, sequence.label, "([");
      WEFT_RETURN_IF_ERROR(AppendItems(context, sequence.items, out));
      out += "])";
      return absl::OkStatus();
    case SequenceKind::kIterator:
      return absl::InvalidArgumentError(
          "what a lazy filter such as 'map' gives cannot be printed; add '| list'");
  }
  return absl::OkStatus();
}

absl::Status AppendEntries(Context& context, const Dict& dict, std::string& out) {
  out += '{';
  absl::string_view separator;
  for (const auto& [key, value] : dict.entries) {
    absl::StrAppend(&out, std::exchange(separator, ", "));
    WEFT_RETURN_IF_ERROR(AppendRepr(context, key, out));
    out += ": ";
    WEFT_RETURN_IF_ERROR(AppendRepr(context, value, out));
  }
  out += '}';
  return absl::OkStatus();
}

absl::Status AppendNamespace(Context& context, const Namespace& space, std::string& out) {
  out += "<Namespace {";
  absl::string_view separator;
  for (const auto& [name, value] : space.attributes()) {
    absl::StrAppend(&out, std::exchange(separator, ", "));
    WEFT_RETURN_IF_ERROR(AppendQuoted(context, name.AsString(), out));
    out += ": ";
    WEFT_RETURN_IF_ERROR(AppendRepr(context, value, out));
  }
  out += "}>";
  return absl::OkStatus();
}

}  // namespace

void AppendHex(char prefix, int digits, uint32_t value, std::string& out) {
  out += '\\';
  out += prefix;
  while (digits-- > 0) out += "0123456789abcdef"[(value >> (4 * digits)) & 0xF];
}

absl::Status AppendRepr(Context& context, const Value& value, std::string& out) {
  Context::DepthGuard guard(context);
  WEFT_RETURN_IF_ERROR(guard.Check());
  WEFT_RETURN_IF_ERROR(context.Step());
  // Brackets, separators and numbers.
  WEFT_RETURN_IF_ERROR(context.Grow(out, 64));
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      return absl::OkStatus();
    case Kind::kNone:
      out += "None";
      return absl::OkStatus();
    case Kind::kBool:
      out += value.AsBool() ? "True" : "False";
      return absl::OkStatus();
    case Kind::kInt:
      absl::StrAppend(&out, value.AsInt());
      return absl::OkStatus();
    case Kind::kFloat:
      out += FloatRepr(value.AsFloat());
      return absl::OkStatus();
    case Kind::kString:
      return AppendQuoted(context, value.AsString(), out);
    case Kind::kSequence:
      return AppendSequence(context, value.AsSequence(), out);
    case Kind::kDict:
      return AppendEntries(context, value.AsDict(), out);
    case Kind::kObject:
      break;
  }
  if (const Namespace* space = value.AsObject().AsNamespace(); space != nullptr) {
    return AppendNamespace(context, *space, out);
  }
  return absl::InvalidArgumentError(absl::StrCat("a ", value.TypeName(), " cannot be printed"));
}

absl::Status AppendStr(Context& context, const Value& value, std::string& out) {
  if (value.is_undefined()) return absl::OkStatus();
  if (value.is_string()) return context.Append(out, value.AsString());
  return AppendRepr(context, value, out);
}

absl::StatusOr<Value> Str(Context& context, const Value& value) {
  if (value.is_string()) return value;
  std::string out;
  WEFT_RETURN_IF_ERROR(AppendStr(context, value, out));
  return context.NewString(std::move(out));
}

}  // namespace weft::jinja
