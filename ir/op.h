// Ops and attributes as the table ir/ops.def lists them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weft::ir {

enum class Op : uint8_t {
#define WEFT_OP(id, ...) id,
#include "ir/ops.def"
};

enum class Attr : uint8_t {
#define WEFT_ATTR(id, ...) id,
#include "ir/ops.def"
};

enum class AttrKind : uint8_t { kBool, kInt, kFloat, kString, kInts, kFloats, kStrings };

// The alternative's index is the AttrKind.
using AttrValue = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

struct AttrInfo {
  Attr attr;
  absl::string_view name;
  AttrKind kind;
  absl::string_view doc;
};

struct OpInfo {
  Op op;
  absl::string_view name;
  int min_operands;
  int max_operands;  // -1: any number
  std::vector<Attr> required;
  std::vector<Attr> optional;
  absl::string_view doc;
};

const OpInfo& GetInfo(Op op);
const AttrInfo& GetInfo(Attr attr);
inline absl::string_view Name(Op op) { return GetInfo(op).name; }
inline absl::string_view Name(Attr attr) { return GetInfo(attr).name; }
absl::string_view Name(AttrKind kind);

absl::Span<const OpInfo> AllOps();
absl::Span<const AttrInfo> AllAttrs();
std::optional<Op> ParseOp(absl::string_view name);
std::optional<Attr> ParseAttr(absl::string_view name);

// True where a row of the result, of T or L rows, is computed from that row of the other values
// with rows alone. kv_append counts: its rows are positions, each from one token.
bool IsRowWise(Op op);

// True for the attributes that schedule and plan-memory may put on any op.
inline bool IsScheduleAttr(Attr attr) { return attr >= Attr::kPartition; }
// True where the table lists `attr` for `op`, or lets it stand on any op.
bool Accepts(Op op, Attr attr);

}  // namespace weft::ir
