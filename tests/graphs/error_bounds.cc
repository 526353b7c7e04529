#include "tests/graphs/error_bounds.h"

#include <algorithm>
#include <cmath>

#include "codegen/layout.h"
#include "runtime/abi/check.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Node;
using ir::Op;
using ir::Value;
using Operands = absl::Span<const Value* const>;
using Bounds = std::vector<double>;

constexpr double kU = 0x1p-24;
// The same and the errors of second order beside it: products of two errors, each below 2^-10.
constexpr double kU1 = kU * (1 + 0x1p-9);
// An operation whose result is below the normal numbers is off by so much at most.
constexpr double kTiny = 0x1p-149;
// Units in the last place that SLEEF documents for the functions of codegen/math.h, two u each.
constexpr double kExpError = 2 * 1.0;
constexpr double kTanhError = 2 * 3.5;
constexpr double kErfError = 2 * 1.0;

double Gamma(double n) { return n * kU1 / (1 - n * kU1); }

Value Evaluate(const ir::EvalContext& context, const Node& node, Operands operands) {
  absl::StatusOr<Value> value = ir::EvaluateOp(context, node, operands);
  WEFT_CHECK(value.ok());
  return *std::move(value);
}

// Of fn in F32 against fn rounded once, for |x| ≤ size and |fn(x)| ≤ result.
double ActivationError(const std::string& fn, double size, double result) {
  if (fn == "silu") {
    // x / (1 + e), e = exp(−x)(1 + θ): the divisor is off by kExpError·u·e/(1 + e) ≤ kExpError·u
    // relatively and rounded, the quotient is rounded; the evaluator rounds. Where e overflows,
    // from x < −88.7 on, the kernel gives −0 for at most 89 · 2^-128.
    return (kExpError + 3) * kU1 * result + 89 * 0x1p-128;
  }
  if (fn == "gelu") {
    // x/2 · (1 + erf(z)), z = x·√½ with the constant and the product rounded: z is off by 2u|z|,
    // which moves erf by 2u · max |z·erf'(z)| = 2u · 0.484. Then erf's own error, |erf| ≤ 1; the
    // sum ≤ 2 and the product are rounded, and the evaluator rounds.
    return size / 2 * (2 * 0.484 + kErfError + 2) * kU1 + 2 * kU1 * result + kTiny;
  }
  WEFT_CHECK(fn == "gelu_tanh");
  // x/2 · (1 + tanh(w)), w = √(2/π) · (x + 0.044715·x³): x³ has two roundings and the constant one,
  // the fma, the second constant and product one each: w is off by at most 6u|w|, which moves tanh
  // by 6u · max |w·tanh'(w)| = 6u · 0.448. The rest as for gelu.
  return size / 2 * (6 * 0.448 + kTanhError + 2) * kU1 + 2 * kU1 * result + kTiny;
}

// The largest slopes: gelu 1.129 at √2, gelu_tanh 1.129, silu 1.0998.
constexpr double kActivationSlope = 1.13;

// cap · tanh(x / cap) with the cap rounded: 2u in the argument, which moves tanh by no more than it
// does tanh relatively (w·tanh'(w) ≤ tanh(w)), tanh's error, and u each for the cap, the product
// and the evaluator.
double SoftcapError(double result) { return (2 + kTanhError + 3) * kU1 * result + kTiny; }

// Sums over 16 lanes and then 4 levels of a tree.
double SumRoundings(int64_t width) { return static_cast<double>(codegen::CeilDiv(width, 16) + 4); }

Bounds RmsNormBounds(const Node& node, const Value& x, const Value& w) {
  const int64_t width = node.Int(Attr::kGroup, x.columns());
  const double eps = node.Float(Attr::kEps);
  const double offset = node.Float(Attr::kOffset, 0.0);
  // The sum of squares (one fma each), its division, eps rounded and added; of all that the root
  // halves the relative error, and it and 1/root are rounded.
  const double factor_error = Gamma(SumRoundings(width) + 3) / 2 + 2 * kU1;
  Bounds bounds(x.floats.size());
  for (size_t begin = 0; begin < bounds.size(); begin += width) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i)
      sum += static_cast<double>(x.floats[begin + i]) * x.floats[begin + i];
    const double factor = 1 / std::sqrt(sum / static_cast<double>(width) + eps);
    for (int64_t i = 0; i < width; ++i) {
      const double scaled = std::fabs(x.floats[begin + i]) * factor;
      const double weight = std::fabs(w.floats[i] + offset);
      // x · factor rounded, the offset rounded and added, the product rounded; the evaluator
      // rounds.
      bounds[begin + i] = scaled * weight * (factor_error + 3 * kU1) +
                          scaled * (std::fabs(offset) + weight) * kU1 + kTiny;
    }
  }
  return bounds;
}

Bounds LayerNormBounds(const Node& node, const Value& x, const Value& w, const Value& b) {
  const int64_t width = x.columns();
  const auto count = static_cast<double>(width);
  const double eps = node.Float(Attr::kEps);
  Bounds bounds(x.floats.size());
  for (size_t begin = 0; begin < bounds.size(); begin += width) {
    double mean = 0;
    double size = 0;
    for (int64_t i = 0; i < width; ++i) {
      mean += x.floats[begin + i] / count;
      size += std::fabs(x.floats[begin + i]) / count;
    }
    double variance = 0;
    for (int64_t i = 0; i < width; ++i) variance += std::pow(x.floats[begin + i] - mean, 2) / count;
    // The mean is off by so much; each difference to it by that and its rounding, `centre` in the
    // root mean square, which moves the variance by 2·√variance·centre + centre².
    const double mean_error = Gamma(SumRoundings(width) + 1) * size;
    const double deviation = std::sqrt(variance);
    const double centre = mean_error + kU1 * (deviation + mean_error);
    const double moved =
        centre * (2 * deviation + centre) / (variance + eps) + Gamma(SumRoundings(width) + 3);
    // 1/√(1 + r) is within |r| of 1 for |r| ≤ ½; beyond that all one knows is the eps.
    const double factor = 1 / std::sqrt(variance + eps);
    const bool small = moved <= 0.5;
    const double largest = small ? factor * (1 + moved) : 1.001 / std::sqrt(eps);
    const double factor_error = (small ? factor * moved : largest) + 2 * kU1 * largest;
    for (int64_t i = 0; i < width; ++i) {
      const double difference = std::fabs(x.floats[begin + i] - mean);
      const double difference_error = mean_error + kU1 * (difference + mean_error);
      const double weight = std::fabs(w.floats[i]);
      const double product = (difference + difference_error) * largest * weight;
      // The product of difference and factor rounded, the fma, the evaluator.
      bounds[begin + i] = weight * (difference_error * largest + difference * factor_error) +
                          3 * kU1 * product + 2 * kU1 * std::fabs(b.floats[i]) + kTiny;
    }
  }
  return bounds;
}

// Each of a·c ∓ b·s: a product rounded, an fma, the evaluator. Columns beyond the pairs are copies.
Bounds RopeBounds(const Node& node, const Value& x, const Value& table) {
  const int64_t head_dim = x.columns() / node.Int(Attr::kHeads);
  const int64_t pairs = table.columns() / 2;
  double largest = 0;
  for (const float entry : table.floats) largest = std::max<double>(largest, std::fabs(entry));
  Bounds bounds(x.floats.size(), 0.0);
  for (size_t begin = 0; begin < bounds.size(); begin += head_dim) {
    for (int64_t i = 0; i < pairs; ++i) {
      const bool interleaved = node.Bool(Attr::kInterleaved);
      const size_t first = begin + (interleaved ? 2 * i : i);
      const size_t second = begin + (interleaved ? 2 * i + 1 : i + pairs);
      const double size = largest * (std::fabs(x.floats[first]) + std::fabs(x.floats[second]));
      bounds[first] = bounds[second] = 3 * kU1 * size + kTiny;
    }
  }
  return bounds;
}

// The sums before the epilogue.
Bounds DotBounds(const ir::EvalContext& context, const Node& plain, Operands operands) {
  const auto inputs = static_cast<size_t>(plain.Int(Attr::kInputs, 1));
  std::vector<Value> sizes;
  std::vector<const Value*> pointers;
  sizes.reserve(operands.size());
  for (const Value* operand : operands) {
    sizes.push_back(*operand);
    for (float& value : sizes.back().floats) value = std::fabs(value);
    pointers.push_back(&sizes.back());
  }
  const Value size = Evaluate(context, plain, pointers);
  const Value sum = Evaluate(context, plain, operands);
  Bounds bounds(sum.floats.size());
  int64_t column = 0;
  for (size_t i = inputs; i < operands.size(); ++i) {
    const ir::Type& type = context.module.node(plain.operands[i]).type;
    const int64_t depth = operands[i]->columns();
    // F32: an fma for each k. Q8_0: an fma for each block, whose dot product is exact, by a product
    // of two scales that is rounded; and the evaluator's activations, quant times scale, are.
    const bool quantized = type.dtype == DataType::kQ8_0 && type.layout != ir::Layout::kRows;
    const double roundings =
        quantized ? static_cast<double>(codegen::Blocks(depth) + 2) : static_cast<double>(depth);
    // Below the normal numbers a product of scales is off by kTiny, times a dot product.
    const double tiny = kTiny * static_cast<double>(depth) * (quantized ? 127 * 128 : 1);
    for (int64_t n = 0; n < operands[i]->dims[0]; ++n, ++column) {
      for (size_t at = column; at < bounds.size(); at += sum.columns()) {
        bounds[at] =
            Gamma(roundings) * size.floats[at] * (1 + kU1) + kU1 * std::fabs(sum.floats[at]) + tiny;
      }
    }
  }
  return bounds;
}

Bounds GatedBounds(const std::string& fn, const Value& sums, const Bounds& errors,
                   const Value& result) {
  Bounds bounds(result.floats.size());
  const int64_t width = result.columns();
  for (int64_t t = 0; t < result.dims[0]; ++t) {
    for (int64_t i = 0; i < width; ++i) {
      const size_t gate = t * 2 * width + i;
      const size_t up = gate + width;
      const double gate_size = std::fabs(sums.floats[gate]) + errors[gate];
      const double active = std::min(gate_size, kActivationSlope * gate_size);  // |fn(x)| ≤ |x|
      const double active_error =
          kActivationSlope * errors[gate] + ActivationError(fn, gate_size, active);
      const double up_size = std::fabs(sums.floats[up]) + errors[up];
      // The product is rounded on both sides.
      bounds[t * width + i] =
          active_error * up_size + active * errors[up] + 2 * kU1 * active * up_size + kTiny;
    }
  }
  return bounds;
}

Bounds MatmulBounds(const ir::EvalContext& context, const Node& node, Operands operands) {
  const size_t plain_operands = static_cast<size_t>(node.Int(Attr::kInputs, 1)) +
                                static_cast<size_t>(node.Int(Attr::kWeights, 1));
  Node stage = node;
  stage.Remove(Attr::kEpilogue);
  size_t used = plain_operands;
  Bounds bounds = DotBounds(context, stage, operands.first(used));
  Value value = Evaluate(context, stage, operands.first(used));
  std::vector<std::string> steps;
  for (const std::string& step : node.Strings(Attr::kEpilogue)) {
    if (step == "quantize") break;
    if (step == "bias" || step == "residual") ++used;
    steps.push_back(step);
    stage.Set(Attr::kEpilogue, steps);
    const Value next = Evaluate(context, stage, operands.first(used));
    if (step.starts_with("gated_")) {
      bounds = GatedBounds(step.substr(6), value, bounds, next);
    } else {
      for (size_t i = 0; i < bounds.size(); ++i) {
        const double size = std::fabs(value.floats[i]) + bounds[i];
        // A sum is rounded on both sides.
        bounds[i] =
            step == "bias" || step == "residual"
                ? bounds[i] + 2 * kU1 * (std::fabs(next.floats[i]) + bounds[i]) + kTiny
                : kActivationSlope * bounds[i] +
                      ActivationError(step, size,
                                      std::fabs(next.floats[i]) + kActivationSlope * bounds[i]);
      }
    }
    value = next;
  }
  return bounds;
}

// One query's scores against the positions it sees, with the error of each.
struct Scores {
  std::vector<double> values;
  Bounds errors;
  double highest = -INFINITY;
  double lowest = INFINITY;
};

Scores ScoresOf(const Node& node, const float* query, const float* keys, int64_t row,
                int64_t head_dim, int64_t first, int64_t last) {
  const double scale = node.Float(Attr::kScale);
  Scores scores;
  for (int64_t s = first; s <= last; ++s) {
    double dot = 0;
    double size = 0;
    for (int64_t i = 0; i < head_dim; ++i) {
      const double term = static_cast<double>(query[i]) * keys[2 * s * row + i];
      dot += term;
      size += std::fabs(term);
    }
    double score = dot * scale;
    // An fma for each column, the scale rounded, the product rounded.
    double error = std::fabs(scale) * Gamma(static_cast<double>(head_dim) + 2) * size + kTiny;
    if (node.Has(Attr::kSoftcap)) {
      const double cap = node.Float(Attr::kSoftcap);
      score = cap * std::tanh(score / cap);  // slopes are at most 1
      error += SoftcapError(std::fabs(score) + error);
    }
    scores.values.push_back(score);
    scores.errors.push_back(error);
    scores.highest = std::max(scores.highest, score);
    scores.lowest = std::min(scores.lowest, score);
  }
  return scores;
}

// Weights are exp(score − highest so far), in chunks and spans that merge with further factors
// exp(highest − new highest): relative to any common factor each weight is off by its score's
// error, by u of every difference between scores that is rounded (these add up to twice the range
// of the scores at most), and by exp's error and a product for each merge. The highest score itself
// is a common factor and cancels. Weights that underflow are off by 2^-126 of the largest.
Bounds AttentionBounds(const Node& node, const Value& q, const Value& cache) {
  const int64_t heads = node.Int(Attr::kHeads);
  const int64_t head_dim = q.columns() / heads;
  const int64_t group = heads / cache.dims[2];
  const int64_t row = cache.dims[2] * head_dim;
  Bounds bounds(q.floats.size());
  for (int64_t t = 0; t < q.dims[0]; ++t) {
    const int64_t first = std::max<int64_t>(0, t + 1 - node.Int(Attr::kWindow, t + 1));
    const auto merges =
        static_cast<double>((t - first) / codegen::kChunk + 2 + (t - first) / codegen::kSpan + 2);
    // Of numerator and denominator: an fma or a sum for each position, and each merge.
    const double summing = Gamma(static_cast<double>(t + 1 - first) + 2 * merges);
    for (int64_t h = 0; h < heads; ++h) {
      const float* keys = cache.floats.data() + h / group * head_dim;
      const Scores scores = ScoresOf(node, q.floats.data() + t * q.columns() + h * head_dim, keys,
                                     row, head_dim, first, t);
      const double range = scores.highest - scores.lowest;
      double sum = 0;
      std::vector<double> weights;
      for (const double score : scores.values) {
        weights.push_back(std::exp(score - scores.highest));
        sum += weights.back();
      }
      std::vector<double> weight_errors;
      double sum_error = summing;
      for (size_t s = 0; s < weights.size(); ++s) {
        const double relative =
            std::expm1(scores.errors[s] + 2 * range * kU1 + (kExpError + 1) * kU1 * (merges + 1));
        weight_errors.push_back((relative * weights[s] + 0x1p-126 * merges) / sum);
        sum_error += weight_errors.back();
      }
      for (int64_t i = 0; i < head_dim; ++i) {
        double mixed = 0;
        double size = 0;
        double error = 0;
        for (size_t s = 0; s < weights.size(); ++s) {
          const double value = keys[(2 * (first + static_cast<int64_t>(s)) + 1) * row + i];
          mixed += weights[s] * value / sum;
          size += weights[s] * std::fabs(value) / sum;
          error += weight_errors[s] * std::fabs(value);
        }
        // The quotient is rounded, and the evaluator's.
        const double numerator = error + summing * size;
        const double whole =
            (numerator + std::fabs(mixed) * sum_error) / std::max(1e-3, 1 - sum_error);
        bounds[t * q.columns() + h * head_dim + i] =
            whole + 2 * kU1 * (std::fabs(mixed) + whole) + kTiny;
      }
    }
  }
  return bounds;
}

Bounds ElementBounds(const ir::EvalContext& context, const Node& node, Operands operands) {
  const Value result = Evaluate(context, node, operands);
  Bounds bounds(result.floats.size());
  for (size_t i = 0; i < bounds.size(); ++i) {
    const double size = std::fabs(operands[0]->floats[i]);
    const double size_of_result = std::fabs(result.floats[i]);
    if (node.op == Op::kSoftcap) {
      bounds[i] = SoftcapError(size_of_result);
    } else if (node.op == Op::kActivate) {
      bounds[i] = ActivationError(node.String(Attr::kFn), size, size_of_result);
    } else {
      // The activation, which is at most |x|, times the other, rounded on both sides.
      bounds[i] =
          ActivationError(node.String(Attr::kFn), size, size) * std::fabs(operands[1]->floats[i]) +
          2 * kU1 * size_of_result + kTiny;
    }
  }
  return bounds;
}

}  // namespace

Bounds ErrorBounds(const ir::EvalContext& context, const Node& node, Operands operands) {
  switch (node.op) {
    case Op::kRmsNorm:
      return RmsNormBounds(node, *operands[0], *operands[1]);
    case Op::kLayerNorm:
      return LayerNormBounds(node, *operands[0], *operands[1], *operands[2]);
    case Op::kMatmul:
      return MatmulBounds(context, node, operands);
    case Op::kActivate:
    case Op::kGatedActivate:
    case Op::kSoftcap:
      return ElementBounds(context, node, operands);
    case Op::kRope:
      return RopeBounds(node, *operands[0], *operands[2]);
    case Op::kAttention:
      return AttentionBounds(node, *operands[0], *operands[1]);
    case Op::kInput:
    case Op::kWeight:
    case Op::kRopeTable:
    case Op::kConcat:
    case Op::kPack:
    case Op::kEmbed:
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kSlice:
    case Op::kKvAppend:
    case Op::kSelectRows:
    case Op::kArgmax:
      break;
  }
  return Bounds(Evaluate(context, node, operands).floats.size(), 0.0);
}

}  // namespace weft::graphs
