#include "ir/type.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/abi/check.h"

namespace weft::ir {

int64_t Dim::value() const {
  WEFT_CHECK(!is_symbol());
  return value_;
}

char Letter(Symbol symbol) {
  switch (symbol) {
    case Symbol::kTokens:
      return 'T';
    case Symbol::kLogitRows:
      return 'L';
    case Symbol::kCached:
      return 'S';
    case Symbol::kNone:
      break;
  }
  WEFT_CHECK(false);
}

Symbol SymbolOf(char letter) {
  for (Symbol symbol : {Symbol::kTokens, Symbol::kLogitRows, Symbol::kCached}) {
    if (Letter(symbol) == letter) return symbol;
  }
  return Symbol::kNone;
}

absl::string_view Name(Layout layout) {
  switch (layout) {
    case Layout::kRows:
      return "rows";
    case Layout::kPanels16:
      return "panels16";
    case Layout::kPanels16x2:
      return "panels16x2";
  }
  WEFT_CHECK(false);
}

bool ParseLayout(absl::string_view name, Layout* layout) {
  for (Layout candidate : kLayouts) {
    if (Name(candidate) != name) continue;
    *layout = candidate;
    return true;
  }
  return false;
}

absl::StatusOr<uint64_t> TensorBytes(DataType dtype, absl::Span<const int64_t> dims) {
  const DataTypeInfo& info = GetInfo(dtype);
  int64_t bound = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0) return absl::InvalidArgumentError(absl::StrCat("a dim is ", dim, ", below 0"));
    empty |= dim == 0;
    if (dim > kMaxTensorValues / bound) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxTensorValues, " values"));
    }
    bound *= std::max<int64_t>(dim, 1);
  }
  if (IsBlockType(dtype) && (dims.empty() || dims.back() % info.block_values != 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the last dim is no multiple of ", info.block_values, ", the block of ", info.name));
  }
  const auto blocks = static_cast<uint64_t>(empty ? 0 : bound / info.block_values);
  return blocks * static_cast<uint64_t>(info.block_bytes);
}

std::string ToString(const Dim& dim) {
  return dim.is_symbol() ? std::string(1, Letter(dim.symbol())) : absl::StrCat(dim.value());
}

std::string ToString(const Type& type) {
  std::string dims = absl::StrJoin(type.dims, ",", [](std::string* out, const Dim& dim) {
    absl::StrAppend(out, ToString(dim));
  });
  std::string text = absl::StrCat(Name(type.dtype), "[", dims, "]");
  if (type.layout != Layout::kRows) absl::StrAppend(&text, "{", Name(type.layout), "}");
  return text;
}

}  // namespace weft::ir
