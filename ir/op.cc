#include "ir/op.h"

#include <algorithm>

#include "runtime/abi/check.h"

namespace weft::ir {

absl::Span<const OpInfo> AllOps() {
  static const auto* const kOps = new std::vector<OpInfo>{
#define WEFT_OP(id, name, min, max, required, optional, infer, doc) \
  {Op::id, name, min, max, required, optional, doc},
#include "ir/ops.def"
  };
  return *kOps;
}

absl::Span<const AttrInfo> AllAttrs() {
  static constexpr AttrInfo kAttrs[] = {
#define WEFT_ATTR(id, name, kind, doc) {Attr::id, name, AttrKind::kind, doc},
#include "ir/ops.def"
  };
  return kAttrs;
}

const OpInfo& GetInfo(Op op) {
  const auto index = static_cast<size_t>(op);
  WEFT_CHECK(index < AllOps().size());
  return AllOps()[index];
}

const AttrInfo& GetInfo(Attr attr) {
  const auto index = static_cast<size_t>(attr);
  WEFT_CHECK(index < AllAttrs().size());
  return AllAttrs()[index];
}

absl::string_view Name(AttrKind kind) {
  switch (kind) {
    case AttrKind::kBool:
      return "bool";
    case AttrKind::kInt:
      return "int";
    case AttrKind::kFloat:
      return "float";
    case AttrKind::kString:
      return "string";
    case AttrKind::kInts:
      return "list of ints";
    case AttrKind::kFloats:
      return "list of floats";
    case AttrKind::kStrings:
      return "list of strings";
  }
  WEFT_CHECK(false);
}

std::optional<Op> ParseOp(absl::string_view name) {
  for (const OpInfo& info : AllOps()) {
    if (info.name == name) return info.op;
  }
  return std::nullopt;
}

std::optional<Attr> ParseAttr(absl::string_view name) {
  for (const AttrInfo& info : AllAttrs()) {
    if (info.name == name) return info.attr;
  }
  return std::nullopt;
}

bool IsRowWise(Op op) {
  switch (op) {
    case Op::kEmbed:
    case Op::kRmsNorm:
    case Op::kLayerNorm:
    case Op::kMatmul:
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kActivate:
    case Op::kGatedActivate:
    case Op::kSoftcap:
    case Op::kSlice:
    case Op::kRope:
    case Op::kKvAppend:
    case Op::kArgmax:
      return true;
    case Op::kInput:
    case Op::kWeight:
    case Op::kRopeTable:
    case Op::kConcat:
    case Op::kPack:
    case Op::kAttention:   // reads the positions before
    case Op::kSelectRows:  // row r of L is another row of T
      return false;
  }
  WEFT_CHECK(false);
}

bool Accepts(Op op, Attr attr) {
  if (IsScheduleAttr(attr)) return true;
  const OpInfo& info = GetInfo(op);
  return std::ranges::count(info.required, attr) > 0 || std::ranges::count(info.optional, attr) > 0;
}

}  // namespace weft::ir
