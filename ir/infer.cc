// The inference hooks of ir/ops.def: each checks operands and attributes of its op and gives the
// type of the result.
#include <algorithm>
#include <limits>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/verifier.h"

namespace weft::ir {
namespace {

using absl::OkStatus;
using absl::Status;

// Operand types by index and the node's attributes.
struct InferContext {
  const Module& module;
  const Node& node;
  const Type& type(size_t operand) const { return module.node(node.operands[operand]).type; }
  size_t count() const { return node.operands.size(); }
};

template <typename... Args>
Status Bad(const Args&... args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

Status Expect(const InferContext& c, size_t operand, DataType dtype, int rank) {
  const Type& type = c.type(operand);
  if (type.dtype == dtype && type.rank() == rank && type.layout == Layout::kRows) return OkStatus();
  return Bad("operand ", operand, " is ", ToString(type), ", expected ", Name(dtype), " of rank ",
             rank);
}

// A vector of weights of `length` in any element type that a file may hold.
Status ExpectVector(const InferContext& c, size_t operand, const Dim& length) {
  const Type& type = c.type(operand);
  if (type.rank() == 1 && type.dims[0] == length && type.layout == Layout::kRows) return OkStatus();
  return Bad("operand ", operand, " is ", ToString(type), ", expected a vector of ",
             ToString(length));
}

// Row i is position i of this step.
Status ExpectTokens(const InferContext& c, size_t operand) {
  if (c.type(operand).dims[0] == Dim(Symbol::kTokens)) return OkStatus();
  return Bad("operand ", operand, " is ", ToString(c.type(operand)),
             ", expected rows of all tokens, [T,n]");
}

bool IsCacheFormat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kQ8_0;
}

bool IsMatrixOfRows(const Type& type) {
  return type.rank() == 2 && type.dims[0].is_symbol() && !type.last().is_symbol();
}

Status ExpectRows(const InferContext& c, size_t operand) {
  if (Status status = Expect(c, operand, DataType::kF32, 2); !status.ok()) return status;
  if (IsMatrixOfRows(c.type(operand))) return OkStatus();
  return Bad("operand ", operand, " is ", ToString(c.type(operand)),
             ", expected rows of tokens, [T,n] or [L,n]");
}

Status Divides(const InferContext& c, Attr attr, const Dim& dim) {
  // What looks at each head takes time with their number, which no text should choose freely.
  constexpr int64_t kMost = 1 << 16;
  const int64_t value = c.node.Int(attr);
  if (attr == Attr::kHeads && value > kMost)
    return Bad(Name(attr), "=", value, " is above ", kMost);
  if (value > 0 && dim.value() % value == 0) return OkStatus();
  return Bad(Name(attr), "=", value, " does not divide ", ToString(dim));
}

Status ExpectFn(const std::string& fn) {
  if (fn == "gelu" || fn == "gelu_tanh" || fn == "silu") return OkStatus();
  return Bad("fn is gelu, gelu_tanh or silu, not '", fn, "'");
}

#define WEFT_RETURN_IF_ERROR(expression) \
  if (Status status_ = (expression); !status_.ok()) return status_

Status InferInput(const InferContext& c, Type* type) {
  const std::string& name = c.node.String(Attr::kName);
  if (name != "tokens" && name != "positions")
    return Bad("an input is tokens or positions, not '", name, "'");
  *type = {DataType::kI32, {Symbol::kTokens}};
  return OkStatus();
}

Status InferWeight(const InferContext& c, Type* type) {
  const SourceTensor* tensor = c.module.FindTensor(c.node.String(Attr::kTensor));
  if (tensor == nullptr) return Bad("no tensor '", c.node.String(Attr::kTensor), "' is declared");
  std::vector<int64_t> dims = tensor->dims;
  if (dims.empty() || dims.size() > 2)
    return Bad("a weight is a vector or a matrix; the tensor has ", dims.size(), " dims");
  if (std::ranges::any_of(dims, [](int64_t dim) { return dim <= 0; }))
    return Bad("the tensor has an empty dim");
  if (c.node.Bool(Attr::kTransposed)) {
    if (dims.size() != 2 || IsBlockType(tensor->dtype)) {
      return Bad("only a matrix of unblocked elements can be transposed");
    }
    std::swap(dims[0], dims[1]);
  }
  if (c.node.Has(Attr::kRows)) {
    const auto rows = c.node.Ints(Attr::kRows);
    if (rows.size() != 2 || rows[0] < 0 || rows[0] >= rows[1] || rows[1] > dims[0]) {
      return Bad("rows must be [begin, end) within ", dims[0]);
    }
    if (dims.size() == 1 && IsBlockType(tensor->dtype))
      return Bad("a vector of blocks cannot be cut");
    dims[0] = rows[1] - rows[0];
  }
  if (c.node.Has(Attr::kFormat)) {
    const std::string& format = c.node.String(Attr::kFormat);
    if (format != "f32" && format != "q8_0")
      return Bad("format is f32 or q8_0, not '", format, "'");
  }
  *type = {tensor->dtype, {dims.begin(), dims.end()}};
  return OkStatus();
}

Status InferRopeTable(const InferContext& c, Type* type) {
  const auto pairs = static_cast<int64_t>(c.node.Floats(Attr::kInvFreq).size());
  const int64_t context = c.node.Int(Attr::kContext);
  if (pairs == 0 || context <= 0) return Bad("a table has at least one pair and one position");
  if (context > std::numeric_limits<int32_t>::max()) return Bad("positions are i32");
  *type = {DataType::kF32, {context, 2 * pairs}};
  return OkStatus();
}

// Matrices of equal columns, or vectors; the sum of the rows.
Status StackedRows(const InferContext& c, size_t begin, size_t end, int64_t* rows) {
  *rows = 0;
  for (size_t i = begin; i < end; ++i) {
    const Type& type = c.type(i);
    if (type.rank() != c.type(begin).rank() || type.rank() < 1 || type.dims[0].is_symbol() ||
        (type.rank() == 2 && type.dims[1] != c.type(begin).dims[1])) {
      return Bad("operand ", i, " is ", ToString(type), ", which does not stack on ",
                 ToString(c.type(begin)));
    }
    *rows += type.dims[0].value();
    // Each is a weight's or such a sum, so that a sum of two cannot overflow.
    if (*rows > kMaxTensorValues / (type.rank() == 2 ? type.dims[1].value() : 1)) {
      return Bad("operands stack to more than ", kMaxTensorValues, " values");
    }
  }
  return OkStatus();
}

// Weights in the layout of files, end to end.
Status StackedWeights(const InferContext& c, int64_t* rows) {
  for (size_t i = 0; i < c.count(); ++i) {
    if (c.type(i).layout != Layout::kRows) return Bad("operand ", i, " is packed already");
  }
  return StackedRows(c, 0, c.count(), rows);
}

Status InferConcat(const InferContext& c, Type* type) {
  int64_t rows = 0;
  WEFT_RETURN_IF_ERROR(StackedWeights(c, &rows));
  for (size_t i = 1; i < c.count(); ++i) {
    if (c.type(i).dtype != c.type(0).dtype)
      return Bad("operands of concat have different element types");
  }
  *type = c.type(0);
  type->dims[0] = rows;
  return OkStatus();
}

Status InferPack(const InferContext& c, Type* type) {
  int64_t rows = 0;
  WEFT_RETURN_IF_ERROR(StackedWeights(c, &rows));
  *type = c.type(0);
  type->dims[0] = rows;
  const std::string& format = c.node.String(Attr::kFormat);
  if (format != "f32" && format != "q8_0") return Bad("format is f32 or q8_0, not '", format, "'");
  type->dtype = format == "f32" ? DataType::kF32 : DataType::kQ8_0;
  if (!ParseLayout(c.node.String(Attr::kLayout), &type->layout))
    return Bad("layout is rows, panels16 or panels16x2");
  if (type->dtype == DataType::kQ8_0 && type->layout == Layout::kRows)
    return Bad("q8_0 is packed in panels");
  if (type->rank() == 1 && type->layout != Layout::kRows) return Bad("a vector has no panels");
  if (type->layout == Layout::kPanels16x2 && rows % 32 != 0)
    return Bad("panels16x2 holds two halves of whole panels, not ", rows, " rows");
  return OkStatus();
}

Status InferEmbed(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(Expect(c, 0, DataType::kI32, 1));
  if (c.type(1).rank() != 2 || c.type(1).dims[0].is_symbol())
    return Bad("operand 1 is ", ToString(c.type(1)), ", expected a matrix");
  *type = {DataType::kF32, {c.type(0).dims[0], c.type(1).dims[1]}};
  return OkStatus();
}

Status InferRmsNorm(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  Dim width = c.type(0).last();
  if (c.node.Has(Attr::kGroup)) {
    WEFT_RETURN_IF_ERROR(Divides(c, Attr::kGroup, width));
    width = c.node.Int(Attr::kGroup);
  }
  WEFT_RETURN_IF_ERROR(ExpectVector(c, 1, width));
  *type = c.type(0);
  return OkStatus();
}

Status InferLayerNorm(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  WEFT_RETURN_IF_ERROR(ExpectVector(c, 1, c.type(0).last()));
  WEFT_RETURN_IF_ERROR(ExpectVector(c, 2, c.type(0).last()));
  *type = c.type(0);
  return OkStatus();
}

Status CheckEpilogue(const InferContext& c, size_t next, const Type& result) {
  const auto steps = c.node.Strings(Attr::kEpilogue);
  for (const std::string& step : steps) {
    if (&step == &steps.front() && !GatedFn(c.node).empty()) {
      WEFT_RETURN_IF_ERROR(ExpectFn(std::string(GatedFn(c.node))));
      continue;
    }
    if (&step == &steps.back() && QuantizesResult(c.node)) continue;
    if (step != "bias" && step != "residual") {
      WEFT_RETURN_IF_ERROR(ExpectFn(step));
      continue;
    }
    if (next >= c.count()) return Bad("no operand for the epilogue's ", step);
    if (step == "bias") {
      WEFT_RETURN_IF_ERROR(ExpectVector(c, next, result.last()));
    } else if (c.type(next) != result) {
      return Bad("the residual is ", ToString(c.type(next)), ", not ", ToString(result));
    }
    ++next;
  }
  return next == c.count() ? OkStatus()
                           : Bad("has ", c.count(), " operands, of which ", next, " are used");
}

Status InferMatmul(const InferContext& c, Type* type) {
  const int64_t inputs = c.node.Int(Attr::kInputs, 1);
  const int64_t weights = c.node.Int(Attr::kWeights, 1);
  if (inputs < 1 || inputs > 2 || weights < 1 ||
      weights > static_cast<int64_t>(c.count()) - inputs) {
    return Bad("inputs=", inputs, " and weights=", weights, " do not fit ", c.count(), " operands");
  }
  for (int64_t i = 0; i < inputs; ++i) {
    if (!IsMatrixOfRows(c.type(i)) ||
        (c.type(i).dtype != DataType::kF32 && c.type(i).dtype != DataType::kQ8A)) {
      return Bad("operand ", i, " is ", ToString(c.type(i)), ", expected activations, f32 or q8a");
    }
  }
  if (inputs == 2 && (c.type(0).dtype != DataType::kF32 || c.type(1).dtype != DataType::kQ8A ||
                      c.type(0).dims != c.type(1).dims)) {
    return Bad("two inputs are the same activations as f32 and as q8a");
  }
  int64_t rows = 0;
  WEFT_RETURN_IF_ERROR(StackedRows(c, inputs, inputs + weights, &rows));
  for (int64_t i = inputs; i < inputs + weights; ++i) {
    const Type& weight = c.type(i);
    if (weight.rank() != 2 || weight.dims[1] != c.type(0).last()) {
      return Bad("operand ", i, " is ", ToString(weight), ", expected [n,",
                 ToString(c.type(0).last()), "]");
    }
    if (weight.layout == Layout::kPanels16x2 && (GatedFn(c.node).empty() || weights > 1))
      return Bad("panels16x2 is for the one weight of a matmul with a gated epilogue");
    const bool quantized = weight.dtype == DataType::kQ8_0 && weight.layout != Layout::kRows;
    if (inputs == 1 && (c.type(0).dtype == DataType::kQ8A) != quantized) {
      return Bad("packed q8_0 weights go with q8a activations, all others with f32");
    }
  }
  if (!GatedFn(c.node).empty()) {
    if (rows % 2 != 0) return Bad("gate and up together have ", rows, " rows, an odd number");
    rows /= 2;
  }
  *type = {DataType::kF32, {c.type(0).dims[0], rows}};
  WEFT_RETURN_IF_ERROR(CheckEpilogue(c, inputs + weights, *type));
  if (QuantizesResult(c.node)) type->dtype = DataType::kQ8A;
  return OkStatus();
}

Status InferQuantize(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  *type = {DataType::kQ8A, c.type(0).dims};
  return OkStatus();
}

Status InferBinary(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  if (c.type(1) != c.type(0)) WEFT_RETURN_IF_ERROR(ExpectVector(c, 1, c.type(0).last()));
  *type = c.type(0);
  return OkStatus();
}

Status InferUnary(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  if (c.node.Has(Attr::kCap) && !(c.node.Float(Attr::kCap) > 0)) return Bad("cap must be above 0");
  *type = c.type(0);
  return OkStatus();
}

Status InferActivate(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectFn(c.node.String(Attr::kFn)));
  return InferUnary(c, type);
}

Status InferGatedActivate(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(InferActivate(c, type));
  return c.type(1) == c.type(0)
             ? OkStatus()
             : Bad("up is ", ToString(c.type(1)), ", gate ", ToString(c.type(0)));
}

Status InferSlice(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  const int64_t begin = c.node.Int(Attr::kBegin);
  const int64_t end = c.node.Int(Attr::kEnd);
  if (begin < 0 || begin >= end || end > c.type(0).last().value()) {
    return Bad("columns [", begin, ", ", end, ") are not within ", ToString(c.type(0)));
  }
  *type = {DataType::kF32, {c.type(0).dims[0], end - begin}};
  return OkStatus();
}

Status InferRope(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  WEFT_RETURN_IF_ERROR(Expect(c, 1, DataType::kI32, 1));
  WEFT_RETURN_IF_ERROR(Expect(c, 2, DataType::kF32, 2));
  if (c.type(1).dims[0] != c.type(0).dims[0]) {
    return Bad("positions are ", ToString(c.type(1)), ", the rows ", ToString(c.type(0)));
  }
  if (c.type(2).dims[0].is_symbol() || c.type(2).last().value() % 2 != 0) {
    return Bad("operand 2 is ", ToString(c.type(2)), ", expected a rope_table");
  }
  WEFT_RETURN_IF_ERROR(Divides(c, Attr::kHeads, c.type(0).last()));
  const int64_t head_dim = c.type(0).last().value() / c.node.Int(Attr::kHeads);
  if (c.type(2).last().value() > head_dim) {
    return Bad("the table rotates ", ToString(c.type(2).last()), " columns of a head of ",
               head_dim);
  }
  *type = c.type(0);
  return OkStatus();
}

Status InferKvAppend(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  WEFT_RETURN_IF_ERROR(ExpectTokens(c, 0));
  if (c.type(1) != c.type(0))
    return Bad("keys are ", ToString(c.type(0)), ", values ", ToString(c.type(1)));
  WEFT_RETURN_IF_ERROR(Divides(c, Attr::kHeads, c.type(0).last()));
  if (c.node.Int(Attr::kLayer) < 0) return Bad("layers count from 0");
  const int64_t heads = c.node.Int(Attr::kHeads);
  const auto format =
      ParseDataType(c.node.Has(Attr::kFormat) ? c.node.String(Attr::kFormat) : "f32");
  if (!format || !IsCacheFormat(*format))
    return Bad("a cache is f32, f16 or q8_0, not '", c.node.String(Attr::kFormat), "'");
  *type = {*format, {Symbol::kCached, 2, heads, c.type(0).last().value() / heads}};
  return OkStatus();
}

Status InferAttention(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  WEFT_RETURN_IF_ERROR(ExpectTokens(c, 0));
  if (c.type(1).rank() != 4 || !IsCacheFormat(c.type(1).dtype))
    return Bad("operand 1 is ", ToString(c.type(1)), ", expected a cache");
  WEFT_RETURN_IF_ERROR(Divides(c, Attr::kHeads, c.type(0).last()));
  const int64_t heads = c.node.Int(Attr::kHeads);
  const int64_t head_dim = c.type(0).last().value() / heads;
  const Type& cache = c.type(1);
  if (cache.dims[2].is_symbol() || heads % cache.dims[2].value() != 0 ||
      cache.dims[3] != Dim(head_dim)) {
    return Bad(heads, " heads of ", head_dim, " do not go with a cache of ", ToString(cache));
  }
  if (c.node.Has(Attr::kWindow) && c.node.Int(Attr::kWindow) < 1)
    return Bad("a window holds at least one position");
  if (c.node.Has(Attr::kSoftcap) && !(c.node.Float(Attr::kSoftcap) > 0))
    return Bad("softcap must be above 0");
  *type = c.type(0);
  return OkStatus();
}

Status InferSelectRows(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  *type = {DataType::kF32, {Symbol::kLogitRows, c.type(0).last()}};
  return OkStatus();
}

Status InferArgmax(const InferContext& c, Type* type) {
  WEFT_RETURN_IF_ERROR(ExpectRows(c, 0));
  *type = {DataType::kI32, {c.type(0).dims[0]}};
  return OkStatus();
}

}  // namespace

absl::StatusOr<Type> InferType(const Module& module, const Node& node) {
  if (Status status = CheckAgainstTable(module, node); !status.ok()) return status;
  const InferContext context{module, node};
  Type type;
  Status status;
  switch (node.op) {
#define WEFT_OP(id, name, min, max, required, optional, hook, doc) \
  case Op::id:                                                     \
    status = Infer##hook(context, &type);                          \
    break;
#include "ir/ops.def"
  }
  if (!status.ok()) return status;
  return type;
}

}  // namespace weft::ir
