#include "tests/graphs/step_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_spec.h"
#include "codegen/layout.h"
#include "ir/evaluator_ops.h"
#include "ir/text.h"
#include "passes/layout.h"
#include "runtime/abi/check.h"
#include "runtime/anonymous_memory.h"
#include "runtime/base/status_macros.h"
#include "tests/graphs/error_bounds.h"

namespace weft::graphs {
namespace {

using absl::Status;
using absl::StatusOr;
using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;
using ir::Value;

// What the debug executor fills memory with as well: NaN where it is read as F32.
constexpr uint8_t kFiller = 0xFF;

void AppendRows(const Value& rows, Value* all) {
  if (all->dims.empty()) {
    *all = rows;
    return;
  }
  all->dims[0] += rows.dims[0];
  all->floats.insert(all->floats.end(), rows.floats.begin(), rows.floats.end());
}

// The last rows of a value of more.
template <typename T>
std::vector<T> LastRows(const std::vector<T>& all, int64_t rows, int64_t of) {
  const size_t width = all.size() / static_cast<size_t>(of);
  return {all.end() - static_cast<std::ptrdiff_t>(width * static_cast<size_t>(rows)), all.end()};
}

class Checker {
 public:
  Checker(const StepCheckInput& input, std::map<std::string, StepStats>* stats)
      : in_(input),
        stats_(stats),
        values_(input.module.id_bound()),
        history_(input.module.id_bound()) {}

  StatusOr<std::vector<float>> Run() {
    const Program& program = in_.program;
    WEFT_ASSIGN_OR_RETURN(arena_, AnonymousMemory::Map(program.arena_bytes, "the arena"));
    WEFT_ASSIGN_OR_RETURN(kv_, AnonymousMemory::Map(program.kv_bytes, "the cache"));
    WEFT_RETURN_IF_ERROR(ReadConstants());
    std::vector<float> logits;
    const auto count = static_cast<int64_t>(in_.tokens.size());
    for (int64_t begin = 0; begin < count; begin += in_.chunk) {
      WEFT_RETURN_IF_ERROR(RunChunk(begin, std::min(in_.chunk, count - begin)));
      const Value& rows = values_[in_.module.outputs[0]];
      logits.insert(logits.end(), rows.floats.begin(), rows.floats.end());
    }
    return logits;
  }

 private:
  // By the evaluator; how they are packed shows in the steps.
  Status ReadConstants() {
    const ir::EvalContext context{in_.module, in_.weights, in_.tokens.first(1), 1};
    for (const NodeId id : in_.module.order()) {
      const Node& node = in_.module.node(id);
      if (passes::IsStep(node) || node.op == Op::kInput || node.Bool(Attr::kView)) continue;
      WEFT_ASSIGN_OR_RETURN(values_[id], ir::EvaluateOp(context, node, OperandsOf(node)));
    }
    return absl::OkStatus();
  }

  std::vector<const Value*> OperandsOf(const Node& node) const {
    std::vector<const Value*> operands;
    for (const NodeId operand : node.operands) operands.push_back(&values_[operand]);
    return operands;
  }

  Status RunChunk(int64_t begin, int64_t count) {
    run_ = {count, count, begin};
    std::memset(arena_.data(), kFiller, in_.program.arena_bytes);
    size_t step = 0;
    for (const NodeId id : in_.module.order()) {
      const Node& node = in_.module.node(id);
      if (node.op == Op::kInput) {
        Fill(node, &values_[id]);
      } else if (node.Bool(Attr::kView)) {
        WEFT_ASSIGN_OR_RETURN(values_[id], ir::EvaluateOp(Context(), node, OperandsOf(node)));
      } else if (passes::IsStep(node)) {
        for (int phase = 0; phase < codegen::Phases(node); ++phase, ++step) Execute(step);
        WEFT_RETURN_IF_ERROR(CheckStep(id));
      }
    }
    WEFT_CHECK(step == in_.program.steps.size());
    return absl::OkStatus();
  }

  ir::EvalContext Context() const {
    return {in_.module, in_.weights, in_.tokens.subspan(run_.position, run_.tokens),
            run_.logit_rows};
  }

  void Fill(const Node& node, Value* value) {
    *value = {.dims = {run_.tokens}};
    for (int64_t i = 0; i < run_.tokens; ++i) {
      const int64_t position = run_.position + i;
      value->ints.push_back(node.String(Attr::kName) == "tokens" ? in_.tokens[position]
                                                                 : static_cast<int32_t>(position));
    }
    std::memcpy(arena_.data() + node.Int(Attr::kAddress), value->ints.data(),
                value->ints.size() * sizeof(int32_t));
  }

  uint8_t* At(const OperandRef& ref) const {
    uint8_t* space = ref.space == Space::kArena     ? arena_.data()
                     : ref.space == Space::kKvCache ? kv_.data()
                                                    : const_cast<uint8_t*>(in_.packed);
    return space + ref.offset;
  }

  void Execute(size_t index) {
    const Step& step = in_.program.steps[index];
    std::vector<void*> operands;
    for (const OperandRef& ref : step.operands) operands.push_back(At(ref));
    int64_t units = step.units;
    if (step.extent != Extent::kOne) {
      const int64_t rows = step.extent == Extent::kTokens ? run_.tokens : run_.logit_rows;
      units *= codegen::CeilDiv(rows, step.unit_rows);
    }
    in_.kernels[index](&run_, operands.data(), 0, units);
  }

  Status CheckStep(NodeId id) {
    const Node& node = in_.module.node(id);
    if (node.op == Op::kKvAppend) return Remember(id);
    if (node.op == Op::kAttention) return CheckAttention(id);
    const std::vector<const Value*> operands = OperandsOf(node);
    Node plain = node;
    const bool quantizes = node.op == Op::kMatmul && ir::QuantizesResult(node);
    if (quantizes) {
      const auto all = node.Strings(Attr::kEpilogue);
      plain.Set(Attr::kEpilogue, std::vector<std::string>(all.begin(), all.end() - 1));
    }
    WEFT_ASSIGN_OR_RETURN(const Value expected, ir::EvaluateOp(Context(), plain, operands));
    const std::vector<double> bounds = ErrorBounds(Context(), plain, operands);
    values_[id] = Decode(node);
    return quantizes ? CompareQuantized(id, expected, bounds) : Compare(id, expected, bounds);
  }

  // The cache is what the evaluator makes of all keys and values so far: rounding them is exact,
  // and whether it was done so the attention shows that reads them.
  Status Remember(NodeId id) {
    const Node& node = in_.module.node(id);
    std::vector<const Value*> operands;
    std::vector<Value>& past = history_[id];
    past.resize(2);
    for (size_t i = 0; i < 2; ++i) {
      AppendRows(values_[node.operands[i]], &past[i]);
      operands.push_back(&past[i]);
    }
    WEFT_ASSIGN_OR_RETURN(values_[id], ir::EvaluateOp(WholeContext(), node, operands));
    return absl::OkStatus();
  }

  // Of all tokens up to the end of the chunk.
  ir::EvalContext WholeContext() const {
    return {in_.module, in_.weights, in_.tokens.first(run_.position + run_.tokens), 1};
  }

  Status CheckAttention(NodeId id) {
    const Node& node = in_.module.node(id);
    std::vector<Value>& past = history_[id];
    past.resize(1);
    AppendRows(values_[node.operands[0]], &past[0]);
    const Value* operands[] = {past.data(), &values_[node.operands[1]]};
    WEFT_ASSIGN_OR_RETURN(Value expected, ir::EvaluateOp(WholeContext(), node, operands));
    std::vector<double> bounds = ErrorBounds(WholeContext(), node, operands);
    const int64_t all = expected.dims[0];
    expected.floats = LastRows(expected.floats, run_.tokens, all);
    bounds = LastRows(bounds, run_.tokens, all);
    expected.dims[0] = run_.tokens;
    values_[id] = Decode(node);
    return Compare(id, expected, bounds);
  }

  template <typename T>
  static T Load(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  }

  // The rows of this chunk as they lie in the arena; quantised ones as what they stand for.
  Value Decode(const Node& node) const {
    const bool selected = node.type.dims[0] == ir::Dim(ir::Symbol::kLogitRows);
    Value value{.dims = {selected ? run_.logit_rows : run_.tokens}};
    const uint8_t* data = arena_.data() + node.Int(Attr::kAddress);
    if (node.type.dtype == DataType::kI32) {
      for (int64_t row = 0; row < value.dims[0]; ++row)
        value.ints.push_back(Load<int32_t>(data + row * 4));
      return value;
    }
    const int64_t width = node.type.last().value();
    value.dims.push_back(width);
    for (int64_t row = 0; row < value.dims[0]; ++row) {
      const uint8_t* at = data + row * node.Int(Attr::kStride);
      for (int64_t i = 0; i < width; ++i) {
        value.floats.push_back(node.type.dtype != DataType::kQ8A
                                   ? Load<float>(at + i * 4)
                                   : static_cast<float>(static_cast<int8_t>(at[i])) *
                                         ScaleOf(at, width, i));
      }
    }
    return value;
  }

  static float ScaleOf(const uint8_t* row, int64_t width, int64_t column) {
    return Load<float>(row + codegen::ActivationScales(width) + column / codegen::kBlock * 4);
  }

  Status Bad(NodeId id, size_t i, double actual, double expected, double bound) const {
    const Node& node = in_.module.node(id);
    const auto width = static_cast<size_t>(node.type.rank() == 2 ? node.type.last().value() : 1);
    return absl::InternalError(
        absl::StrCat("step: ", ir::Name(node.op), " differs from the evaluator: '",
                     ir::PrintNode(in_.module, id), "' has ", actual, " in row ", i / width,
                     ", column ", i % width, " of the run at position ", run_.position,
                     "; expected ", expected, " ± ", bound));
  }

  Status Compare(NodeId id, const Value& expected, const std::vector<double>& bounds) {
    const Value& actual = values_[id];
    WEFT_CHECK(actual.dims == expected.dims);
    for (size_t i = 0; i < expected.ints.size(); ++i) {
      if (actual.ints[i] != expected.ints[i])
        return Bad(id, i, actual.ints[i], expected.ints[i], 0);
    }
    StepStats& stats = (*stats_)[std::string(ir::Name(in_.module.node(id).op))];
    for (size_t i = 0; i < expected.floats.size(); ++i) {
      const double error = std::fabs(static_cast<double>(actual.floats[i]) - expected.floats[i]);
      if (!(error <= bounds[i]))  // NaN included
        return Bad(id, i, actual.floats[i], expected.floats[i], bounds[i]);
      ++stats.values;
      if (bounds[i] == 0) {
        ++stats.exact;
      } else {
        stats.share = std::max(stats.share, error / bounds[i]);
      }
    }
    return absl::OkStatus();
  }

  // Each value is within half a quant of what was rounded, which is within `bounds` of what is
  // expected; the quant is 1/127 of the block's largest value, which is off by its bound, and the
  // product with the inverse and the quotient are rounded, 2⁻²² of a value in all.
  Status CompareQuantized(NodeId id, const Value& expected, const std::vector<double>& bounds) {
    const Value& actual = values_[id];
    const int64_t width = expected.columns();
    for (size_t begin = 0; begin < expected.floats.size(); begin += codegen::kBlock) {
      static_assert(codegen::kBlock == 32);
      WEFT_CHECK(width % codegen::kBlock == 0);  // fuse-quantize asks for it
      double largest = 0;
      double bound = 0;
      for (size_t i = begin; i < begin + codegen::kBlock; ++i) {
        largest = std::max<double>(largest, std::fabs(expected.floats[i]));
        bound = std::max(bound, bounds[i]);
      }
      const auto row = static_cast<int64_t>(begin) / width;
      const Node& node = in_.module.node(id);
      const uint8_t* at = arena_.data() + node.Int(Attr::kAddress) + row * node.Int(Attr::kStride);
      const double scale = ScaleOf(at, width, static_cast<int64_t>(begin) % width);
      if (!(std::fabs(scale * 127 - largest) <= bound + 0x1p-22 * largest))
        return Bad(id, begin, scale * 127, largest, bound);
      for (size_t i = begin; i < begin + codegen::kBlock; ++i) {
        const double error = std::fabs(static_cast<double>(actual.floats[i]) - expected.floats[i]);
        const double limit = bounds[i] + scale / 2 + 0x1p-22 * (largest + bound) + 0x1p-126;
        if (!(error <= limit)) return Bad(id, i, actual.floats[i], expected.floats[i], limit);
      }
      int32_t sum = 0;
      for (int64_t i = 0; i < codegen::kBlock; ++i)
        sum += static_cast<int8_t>(at[static_cast<int64_t>(begin) % width + i]);
      const auto stored = Load<int32_t>(at + codegen::ActivationSums(width) +
                                        static_cast<int64_t>(begin) % width / codegen::kBlock * 4);
      if (stored != sum) return Bad(id, begin, stored, sum, 0);
    }
    return absl::OkStatus();
  }

  const StepCheckInput& in_;
  std::map<std::string, StepStats>* stats_;
  AnonymousMemory arena_;
  AnonymousMemory kv_;
  std::vector<Value> values_;                // by node, as computed
  std::vector<std::vector<Value>> history_;  // by node: its operands in the chunks so far
  KernelContext run_{};
};

}  // namespace

StatusOr<std::vector<float>> CheckSteps(const StepCheckInput& input,
                                        std::map<std::string, StepStats>* stats) {
  return Checker(input, stats).Run();
}

}  // namespace weft::graphs
