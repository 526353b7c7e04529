// Tensor types: an element type, dims that are numbers or symbols, and a layout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/abi/data_type.h"

namespace weft::ir {

enum class Symbol : uint8_t {
  kNone,
  kTokens,     // T: tokens of this step
  kLogitRows,  // L: the last tokens of this step, whose logits are wanted; 1 ≤ L ≤ T
  kCached,     // S: cached positions, this step's included
};

class Dim {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a dim reads as a number wherever it is one
  Dim(int64_t value) : value_(value) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Dim(Symbol symbol) : symbol_(symbol) {}

  bool is_symbol() const { return symbol_ != Symbol::kNone; }
  Symbol symbol() const { return symbol_; }
  // Of a number only.
  int64_t value() const;
  bool operator==(const Dim&) const = default;

 private:
  int64_t value_ = 0;
  Symbol symbol_ = Symbol::kNone;
};

enum class Layout : uint8_t {
  kRows,        // row-major
  kPanels16,    // panels of 16 rows, K-major within (docs/numerics.md)
  kPanels16x2,  // such panels of the first half of the rows and of the second in turn
};
inline constexpr Layout kLayouts[] = {Layout::kRows, Layout::kPanels16, Layout::kPanels16x2};

struct Type {
  DataType dtype = DataType::kF32;
  std::vector<Dim> dims;
  Layout layout = Layout::kRows;
  bool operator==(const Type&) const = default;

  int rank() const { return static_cast<int>(dims.size()); }
  const Dim& last() const { return dims.back(); }
};

// Most values that a tensor may have. A thousand times what the largest models have, and so small
// that bytes, addresses and sums of them stay far below 2^63.
inline constexpr int64_t kMaxTensorValues = int64_t{1} << 48;

// Bytes of a tensor as files hold it. An error where a dim is below 0, the last dim is no whole
// number of blocks, or there are more than kMaxTensorValues values (dims of 0 count as 1).
absl::StatusOr<uint64_t> TensorBytes(DataType dtype, absl::Span<const int64_t> dims);

// "f32[T,576]", "q8_0[1536,576]{panels16}".
std::string ToString(const Type& type);
std::string ToString(const Dim& dim);
absl::string_view Name(Layout layout);
bool ParseLayout(absl::string_view name, Layout* layout);
// 'T', 'L' or 'S'.
char Letter(Symbol symbol);
Symbol SymbolOf(char letter);  // kNone for any other letter

}  // namespace weft::ir
