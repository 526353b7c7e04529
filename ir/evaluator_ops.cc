#include "ir/evaluator_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"
#include "runtime/abi/q8_0.h"

namespace weft::ir {
namespace {

using absl::StatusOr;
using Operands = absl::Span<const Value* const>;

int64_t Product(const std::vector<int64_t>& dims) {
  int64_t product = 1;
  for (int64_t dim : dims) product *= dim;
  return product;
}

// 16 GiB of F32: far above the largest value of a model that one would wait for here.
constexpr int64_t kMaxValues = int64_t{1} << 32;

// An error where a value has more than kMaxValues values; T, L and S are at most `tokens`.
absl::Status CheckSize(const Type& type, int64_t tokens) {
  int64_t values = 1;
  for (const Dim& dim : type.dims) {
    const int64_t size = dim.is_symbol() ? tokens : dim.value();
    if (size > kMaxValues / values) {
      return absl::ResourceExhaustedError(
          absl::StrCat(ToString(type), " is too large to evaluate"));
    }
    values *= size;
  }
  return absl::OkStatus();
}

Value Like(std::vector<int64_t> dims) {
  Value value{.dims = std::move(dims)};
  value.floats.resize(Product(value.dims));
  return value;
}

float Apply(const std::string& fn, float x) {
  const double v = x;
  if (fn == "silu") return static_cast<float>(v / (1 + std::exp(-v)));
  if (fn == "gelu") return static_cast<float>(0.5 * v * (1 + std::erf(v * M_SQRT1_2)));
  WEFT_CHECK(fn == "gelu_tanh");
  // https://arxiv.org/abs/1606.08415, with the constant sqrt(2/π)
  return static_cast<float>(0.5 * v *
                            (1 + std::tanh(M_SQRT1_2 * M_2_SQRTPI * (v + 0.044715 * v * v * v))));
}

float Cap(double x, double cap) { return static_cast<float>(cap * std::tanh(x / cap)); }

Value Input(const EvalContext& context, const Node& node) {
  const auto count = static_cast<int64_t>(context.tokens.size());
  Value value{.dims = {count}, .ints = {context.tokens.begin(), context.tokens.end()}};
  if (node.String(Attr::kName) == "positions") {
    for (int64_t i = 0; i < count; ++i) value.ints[i] = static_cast<int32_t>(i);
  }
  return value;
}

StatusOr<Value> Weight(const EvalContext& context, const Node& node) {
  const SourceTensor& tensor = *context.module.FindTensor(node.String(Attr::kTensor));
  const Type type{tensor.dtype, {tensor.dims.begin(), tensor.dims.end()}};
  if (absl::Status status = CheckSize(type, 0); !status.ok()) return status;
  Value whole = Like(tensor.dims);
  if (absl::Status status = context.weights.Read(tensor, 0, absl::MakeSpan(whole.floats));
      !status.ok())
    return status;
  if (node.Bool(Attr::kTransposed)) {
    Value turned = Like({tensor.dims[1], tensor.dims[0]});
    for (int64_t row = 0; row < turned.dims[0]; ++row) {
      for (int64_t column = 0; column < turned.dims[1]; ++column) {
        turned.floats[row * turned.dims[1] + column] = whole.floats[column * turned.dims[0] + row];
      }
    }
    whole = std::move(turned);
  }
  if (!node.Has(Attr::kRows)) return whole;
  const auto rows = node.Ints(Attr::kRows);
  const int64_t width = Product(whole.dims) / whole.dims[0];
  Value cut{.dims = whole.dims};
  cut.dims[0] = rows[1] - rows[0];
  cut.floats.assign(whole.floats.begin() + rows[0] * width, whole.floats.begin() + rows[1] * width);
  return cut;
}

Value RopeTable(const Node& node) {
  const auto inv_freq = node.Floats(Attr::kInvFreq);
  const auto pairs = static_cast<int64_t>(inv_freq.size());
  const double factor = node.Float(Attr::kFactor, 1.0);
  Value table = Like({node.Int(Attr::kContext), 2 * pairs});
  for (int64_t position = 0; position < table.dims[0]; ++position) {
    for (int64_t i = 0; i < pairs; ++i) {
      const float angle = static_cast<float>(position) * static_cast<float>(inv_freq[i]);
      float* row = table.floats.data() + position * 2 * pairs;
      row[i] = static_cast<float>(std::cos(static_cast<double>(angle)) * factor);
      row[pairs + i] = static_cast<float>(std::sin(static_cast<double>(angle)) * factor);
    }
  }
  return table;
}

Value Stack(Operands operands) {
  Value stacked{.dims = operands[0]->dims};
  stacked.dims[0] = 0;
  for (const Value* operand : operands) {
    stacked.dims[0] += operand->dims[0];
    stacked.floats.insert(stacked.floats.end(), operand->floats.begin(), operand->floats.end());
  }
  return stacked;
}

// Rows padded with zeros to whole blocks, quantised and turned back into what they then stand for.
void RoundToQ8_0(Value* value) {
  const int64_t width = value->columns();
  const int64_t padded = (width + kQ8BlockValues - 1) / kQ8BlockValues * kQ8BlockValues;
  std::vector<float> row(padded, 0.0F);
  std::vector<uint8_t> blocks(padded / kQ8BlockValues * kQ8BlockBytes);
  for (int64_t r = 0; r < value->rows(); ++r) {
    float* values = value->floats.data() + r * width;
    std::copy(values, values + width, row.begin());
    QuantizeQ8_0(row.data(), padded, blocks.data());
    DequantizeQ8_0(blocks.data(), padded, row.data());
    std::copy(row.begin(), row.begin() + width, values);
  }
}

Value Pack(const EvalContext& context, const Node& node, Operands operands) {
  if (node.String(Attr::kFormat) != "q8_0") return Stack(operands);
  std::vector<Value> rounded;
  std::vector<const Value*> stacked;
  rounded.reserve(operands.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    stacked.push_back(&rounded.emplace_back(*operands[i]));
    // Values that come from Q8_0 blocks are taken as they are: q = -128 would not survive
    // quantising again.
    const bool exact = context.module.node(node.operands[i]).type.dtype == DataType::kQ8_0;
    if (!exact) RoundToQ8_0(&rounded.back());
  }
  return Stack(stacked);
}

// As the kernels quantise activations: blocks of 32, scale amax/127 in F32, round half to even. A
// block that holds an infinity or a NaN becomes NaN as a whole.
Value Quantize(const Value& x) {
  Value result = x;
  for (int64_t row = 0; row < x.rows(); ++row) {
    for (int64_t begin = 0; begin < x.columns(); begin += 32) {
      const int64_t end = std::min(begin + 32, x.columns());
      float* values = result.floats.data() + row * x.columns();
      float amax = 0;
      for (int64_t i = begin; i < end; ++i) {
        const float size = std::isfinite(values[i]) ? std::fabs(values[i]) : NAN;
        if (!(size <= amax)) amax = size;
        if (std::isnan(amax)) break;
      }
      // No inverse where amax is 0 or below 2^-121, where it is beyond F32: the block counts as 0.
      const float quotient = 127.0F / amax;
      const float inverse = std::isinf(quotient) ? 0.0F : quotient;  // NaN stays
      const float scale = amax / 127.0F;
      for (int64_t i = begin; i < end; ++i) values[i] = std::nearbyint(values[i] * inverse) * scale;
    }
  }
  return result;
}

StatusOr<Value> Embed(const Node& node, const Value& ids, const Value& table) {
  Value result = Like({ids.dims[0], table.columns()});
  for (int64_t t = 0; t < ids.dims[0]; ++t) {
    if (ids.ints[t] < 0 || ids.ints[t] >= table.dims[0]) {
      return absl::OutOfRangeError(
          absl::StrCat("id ", ids.ints[t], " is not below ", table.dims[0]));
    }
    const float* row = table.floats.data() + ids.ints[t] * table.columns();
    std::copy(row, row + table.columns(), result.floats.data() + t * table.columns());
  }
  const auto scale = static_cast<float>(node.Float(Attr::kScale, 1.0));
  for (float& value : result.floats) value *= scale;
  return result;
}

Value RmsNorm(const Node& node, const Value& x, const Value& w) {
  Value result = x;
  const int64_t width = node.Int(Attr::kGroup, x.columns());
  const double eps = node.Float(Attr::kEps);
  const double offset = node.Float(Attr::kOffset, 0.0);
  for (size_t begin = 0; begin < result.floats.size(); begin += width) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i)
      sum += static_cast<double>(x.floats[begin + i]) * x.floats[begin + i];
    const double factor = 1 / std::sqrt(sum / static_cast<double>(width) + eps);
    for (int64_t i = 0; i < width; ++i) {
      result.floats[begin + i] =
          static_cast<float>(x.floats[begin + i] * factor * (w.floats[i] + offset));
    }
  }
  return result;
}

Value LayerNorm(const Node& node, const Value& x, const Value& w, const Value& b) {
  Value result = x;
  const int64_t width = x.columns();
  for (size_t begin = 0; begin < result.floats.size(); begin += width) {
    double mean = 0;
    for (int64_t i = 0; i < width; ++i) mean += x.floats[begin + i];
    mean /= static_cast<double>(width);
    double variance = 0;
    for (int64_t i = 0; i < width; ++i)
      variance += (x.floats[begin + i] - mean) * (x.floats[begin + i] - mean);
    const double factor =
        1 / std::sqrt(variance / static_cast<double>(width) + node.Float(Attr::kEps));
    for (int64_t i = 0; i < width; ++i) {
      result.floats[begin + i] =
          static_cast<float>((x.floats[begin + i] - mean) * factor * w.floats[i] + b.floats[i]);
    }
  }
  return result;
}

// y [rows, at + N) of the result gets x · wᵀ.
void MatmulPart(const Value& x, const Value& w, int64_t at, Value* y) {
  for (int64_t t = 0; t < x.rows(); ++t) {
    for (int64_t n = 0; n < w.dims[0]; ++n) {
      const float* a = x.floats.data() + t * x.columns();
      const float* b = w.floats.data() + n * w.columns();
      double sum = 0;
      for (int64_t k = 0; k < w.columns(); ++k) sum += static_cast<double>(a[k]) * b[k];
      y->floats[t * y->columns() + at + n] = static_cast<float>(sum);
    }
  }
}

// fn of the first half of the columns, times the second half.
Value Gated(const std::string& fn, const Value& x) {
  Value result = Like({x.dims[0], x.columns() / 2});
  for (int64_t t = 0; t < x.rows(); ++t) {
    const float* gate = x.floats.data() + t * x.columns();
    const float* up = gate + result.columns();
    for (int64_t i = 0; i < result.columns(); ++i)
      result.floats[t * result.columns() + i] = Apply(fn, gate[i]) * up[i];
  }
  return result;
}

Value Matmul(const EvalContext& context, const Node& node, Operands operands) {
  const auto inputs = static_cast<size_t>(node.Int(Attr::kInputs, 1));
  const auto weights = static_cast<size_t>(node.Int(Attr::kWeights, 1));
  int64_t rows = 0;
  for (size_t i = 0; i < weights; ++i) rows += operands[inputs + i]->dims[0];
  Value result = Like({operands[0]->dims[0], rows});
  int64_t at = 0;
  for (size_t i = 0; i < weights; ++i) {
    const Type& type = context.module.node(node.operands[inputs + i]).type;
    const bool quantized = type.dtype == DataType::kQ8_0 && type.layout != Layout::kRows;
    const Value& weight = *operands[inputs + i];
    MatmulPart(*operands[quantized ? inputs - 1 : 0], weight, at, &result);
    at += weight.dims[0];
  }
  size_t next = inputs + weights;
  for (const std::string& step : node.Strings(Attr::kEpilogue)) {
    if (step.starts_with("gated_")) {
      result = Gated(step.substr(6), result);
    } else if (step == "quantize") {
      result = Quantize(result);
    } else if (step == "bias" || step == "residual") {
      const Value& other = *operands[next++];
      for (size_t i = 0; i < result.floats.size(); ++i)
        result.floats[i] += other.floats[i % other.floats.size()];
    } else {
      for (float& value : result.floats) value = Apply(step, value);
    }
  }
  return result;
}

Value Binary(const Node& node, const Value& a, const Value& b) {
  Value result = a;
  for (size_t i = 0; i < result.floats.size(); ++i) {
    const float other = b.floats[i % b.floats.size()];
    result.floats[i] = node.op == Op::kAdd ? result.floats[i] + other : result.floats[i] * other;
  }
  return result;
}

template <typename Fn>
Value Map(const Value& x, Fn fn) {
  Value result = x;
  for (float& value : result.floats) value = fn(value);
  return result;
}

Value Slice(const Node& node, const Value& x) {
  const int64_t begin = node.Int(Attr::kBegin);
  Value result = Like({x.dims[0], node.Int(Attr::kEnd) - begin});
  for (int64_t t = 0; t < x.dims[0]; ++t) {
    const float* row = x.floats.data() + t * x.columns() + begin;
    std::copy(row, row + result.columns(), result.floats.data() + t * result.columns());
  }
  return result;
}

StatusOr<Value> Rope(const Node& node, const Value& x, const Value& positions, const Value& table) {
  Value result = x;
  const int64_t heads = node.Int(Attr::kHeads);
  const int64_t head_dim = x.columns() / heads;
  const int64_t pairs = table.columns() / 2;
  const bool interleaved = node.Bool(Attr::kInterleaved);
  for (int64_t t = 0; t < x.dims[0]; ++t) {
    if (positions.ints[t] < 0 || positions.ints[t] >= table.dims[0]) {
      return absl::OutOfRangeError(
          absl::StrCat("position ", positions.ints[t], " is not below ", table.dims[0]));
    }
    const float* cosine = table.floats.data() + positions.ints[t] * table.columns();
    const float* sine = cosine + pairs;
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t base = t * x.columns() + h * head_dim;
      for (int64_t i = 0; i < pairs; ++i) {
        const int64_t first = base + (interleaved ? 2 * i : i);
        const int64_t second = base + (interleaved ? 2 * i + 1 : i + pairs);
        const double a = x.floats[first];
        const double b = x.floats[second];
        result.floats[first] = static_cast<float>(a * cosine[i] - b * sine[i]);
        result.floats[second] = static_cast<float>(b * cosine[i] + a * sine[i]);
      }
    }
  }
  return result;
}

Value KvAppend(const Node& node, const Value& k, const Value& v) {
  const int64_t heads = node.Int(Attr::kHeads);
  Value cache = Like({k.dims[0], 2, heads, k.columns() / heads});
  for (int64_t t = 0; t < k.dims[0]; ++t) {
    for (int64_t i = 0; i < k.columns(); ++i) {
      cache.floats[(2 * t) * k.columns() + i] = k.floats[t * k.columns() + i];
      cache.floats[(2 * t + 1) * k.columns() + i] = v.floats[t * k.columns() + i];
    }
  }
  if (node.type.dtype == DataType::kF16) {
    for (float& value : cache.floats) value = F16ToF32(F32ToF16(value));
  } else if (node.type.dtype == DataType::kQ8_0) {
    RoundToQ8_0(&cache);
  }
  return cache;
}

Value Attention(const Node& node, const Value& q, const Value& cache) {
  const int64_t heads = node.Int(Attr::kHeads);
  const int64_t head_dim = q.columns() / heads;
  const int64_t cached_heads = cache.dims[2];
  const int64_t row = cached_heads * head_dim;
  Value result = Like(q.dims);
  for (int64_t t = 0; t < q.dims[0]; ++t) {
    const int64_t first = std::max<int64_t>(0, t + 1 - node.Int(Attr::kWindow, t + 1));
    for (int64_t h = 0; h < heads; ++h) {
      const float* query = q.floats.data() + t * q.columns() + h * head_dim;
      const float* keys = cache.floats.data() + h / (heads / cached_heads) * head_dim;
      std::vector<double> weights;
      double highest = -std::numeric_limits<double>::infinity();
      for (int64_t s = first; s <= t; ++s) {
        double score = 0;
        for (int64_t i = 0; i < head_dim; ++i)
          score += static_cast<double>(query[i]) * keys[2 * s * row + i];
        score *= node.Float(Attr::kScale);
        if (node.Has(Attr::kSoftcap)) score = Cap(score, node.Float(Attr::kSoftcap));
        weights.push_back(score);
        highest = std::max(highest, score);
      }
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - highest);
      for (int64_t i = 0; i < head_dim; ++i) {
        double mixed = 0;
        for (int64_t s = first; s <= t; ++s)
          mixed += weights[s - first] * keys[(2 * s + 1) * row + i];
        result.floats[t * q.columns() + h * head_dim + i] = static_cast<float>(mixed / sum);
      }
    }
  }
  return result;
}

Value SelectRows(const EvalContext& context, const Value& x) {
  Value result{.dims = {context.logit_rows, x.columns()}};
  result.floats.assign(x.floats.end() - context.logit_rows * x.columns(), x.floats.end());
  return result;
}

Value Argmax(const Value& x) {
  Value result{.dims = {x.dims[0]}};
  for (int64_t t = 0; t < x.dims[0]; ++t) {
    const float* row = x.floats.data() + t * x.columns();
    result.ints.push_back(static_cast<int32_t>(std::max_element(row, row + x.columns()) - row));
  }
  return result;
}

}  // namespace

StatusOr<Value> EvaluateOp(const EvalContext& context, const Node& node, Operands operands) {
  const auto tokens = static_cast<int64_t>(context.tokens.size());
  if (absl::Status status = CheckSize(node.type, tokens); !status.ok()) return status;
  switch (node.op) {
    case Op::kInput:
      return Input(context, node);
    case Op::kWeight:
      return Weight(context, node);
    case Op::kRopeTable:
      return RopeTable(node);
    case Op::kConcat:
      return Stack(operands);
    case Op::kPack:
      return Pack(context, node, operands);
    case Op::kEmbed:
      return Embed(node, *operands[0], *operands[1]);
    case Op::kRmsNorm:
      return RmsNorm(node, *operands[0], *operands[1]);
    case Op::kLayerNorm:
      return LayerNorm(node, *operands[0], *operands[1], *operands[2]);
    case Op::kMatmul:
      return Matmul(context, node, operands);
    case Op::kQuantize:
      return Quantize(*operands[0]);
    case Op::kAdd:
    case Op::kMul:
      return Binary(node, *operands[0], *operands[1]);
    case Op::kScale:
      return Map(*operands[0], [value = static_cast<float>(node.Float(Attr::kValue))](float x) {
        return x * value;
      });
    case Op::kActivate:
      return Map(*operands[0], [&](float x) { return Apply(node.String(Attr::kFn), x); });
    case Op::kGatedActivate: {
      Value result = Map(*operands[0], [&](float x) { return Apply(node.String(Attr::kFn), x); });
      for (size_t i = 0; i < result.floats.size(); ++i) result.floats[i] *= operands[1]->floats[i];
      return result;
    }
    case Op::kSoftcap:
      return Map(*operands[0], [&](float x) { return Cap(x, node.Float(Attr::kCap)); });
    case Op::kSlice:
      return Slice(node, *operands[0]);
    case Op::kRope:
      return Rope(node, *operands[0], *operands[1], *operands[2]);
    case Op::kKvAppend:
      return KvAppend(node, *operands[0], *operands[1]);
    case Op::kAttention:
      return Attention(node, *operands[0], *operands[1]);
    case Op::kSelectRows:
      return SelectRows(context, *operands[0]);
    case Op::kArgmax:
      return Argmax(*operands[0]);
  }
  WEFT_CHECK(false);
}

}  // namespace weft::ir
