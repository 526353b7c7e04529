#include "tests/graphs/oracle.h"

#include <algorithm>
#include <cmath>

#include "ir/builder.h"
#include "ir/evaluator_ops.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/abi/q8_0.h"
#include "runtime/base/status_macros.h"
#include "tests/graphs/graph_case.h"

namespace weft::graphs {
namespace {

using absl::StatusOr;
using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;
using ir::Value;

// Rows padded with zeros to whole blocks.
void RoundRows(Value* matrix) {
  const int64_t width = matrix->columns();
  const int64_t blocks = (width + kQ8BlockValues - 1) / kQ8BlockValues;
  std::vector<float> row(static_cast<size_t>(blocks * kQ8BlockValues));
  std::vector<uint8_t> bytes(static_cast<size_t>(blocks * kQ8BlockBytes));
  for (size_t begin = 0; begin < matrix->floats.size(); begin += width) {
    std::ranges::fill(row, 0.0F);
    std::copy_n(matrix->floats.begin() + static_cast<std::ptrdiff_t>(begin), width, row.begin());
    QuantizeQ8_0(row.data(), blocks * kQ8BlockValues, bytes.data());
    DequantizeQ8_0(bytes.data(), blocks * kQ8BlockValues, row.data());
    std::copy_n(row.begin(), width, matrix->floats.begin() + static_cast<std::ptrdiff_t>(begin));
  }
}

class Evaluator {
 public:
  Evaluator(const ir::Module& module, const ir::WeightReader& weights,
            absl::Span<const int32_t> tokens)
      : module_(module),
        context_{module, weights, tokens, static_cast<int64_t>(tokens.size())},
        values_(module.id_bound()) {}

  StatusOr<std::vector<Value>> Run() {
    for (const NodeId id : module_.order()) {
      WEFT_ASSIGN_OR_RETURN(values_[id], ValueOf(module_.node(id)));
    }
    std::vector<Value> outputs;
    for (const NodeId id : module_.outputs) outputs.push_back(values_[id]);
    return outputs;
  }

 private:
  bool IsQuantized(NodeId weight) const {
    const Node& node = module_.node(weight);
    return node.Has(Attr::kFormat) && node.String(Attr::kFormat) == "q8_0";
  }

  StatusOr<Value> ValueOf(const Node& node) {
    if (node.op == Op::kMatmul) return Matmul(node);
    std::vector<const Value*> operands;
    for (const NodeId operand : node.operands) operands.push_back(&values_[operand]);
    WEFT_ASSIGN_OR_RETURN(Value value, ir::EvaluateOp(context_, node, operands));
    // Blocks of the file's are taken as they are.
    if (node.op == Op::kWeight && node.Has(Attr::kFormat) && node.String(Attr::kFormat) == "q8_0" &&
        node.type.dtype != DataType::kQ8_0) {
      RoundRows(&value);
    }
    return value;
  }

  // The weights of a list that may hold concats, in order.
  void Collect(NodeId id, std::vector<NodeId>* weights) const {
    if (module_.node(id).op != Op::kConcat) return weights->push_back(id);
    for (const NodeId operand : module_.node(id).operands) Collect(operand, weights);
  }

  // Weight by weight, each with the input that its format wants.
  StatusOr<Value> Matmul(const Node& node) {
    const Value& x = values_[node.operands[0]];
    std::vector<NodeId> weights;
    for (size_t i = 1; i < node.operands.size(); ++i) Collect(node.operands[i], &weights);
    WEFT_ASSIGN_OR_RETURN(const Node quantize,
                          ir::MakeNode(module_, Op::kQuantize, {node.operands[0]}, {}, ""));
    const Value* x_operand = &x;
    WEFT_ASSIGN_OR_RETURN(const Value quantized,
                          ir::EvaluateOp(context_, quantize, absl::MakeConstSpan(&x_operand, 1)));
    Value result{.dims = {x.rows(), node.type.last().value()}};
    result.floats.resize(static_cast<size_t>(result.dims[0] * result.dims[1]));
    int64_t column = 0;
    for (const NodeId weight : weights) {
      WEFT_ASSIGN_OR_RETURN(const Node part,
                            ir::MakeNode(module_, Op::kMatmul, {node.operands[0], weight}, {}, ""));
      const Value* operands[] = {IsQuantized(weight) ? &quantized : &x, &values_[weight]};
      WEFT_ASSIGN_OR_RETURN(const Value y, ir::EvaluateOp(context_, part, operands));
      for (int64_t t = 0; t < y.rows(); ++t) {
        std::copy_n(y.floats.begin() + t * y.columns(), y.columns(),
                    result.floats.begin() + t * result.columns() + column);
      }
      column += y.columns();
    }
    return result;
  }

  const ir::Module& module_;
  const ir::EvalContext context_;
  std::vector<Value> values_;
};

}  // namespace

StatusOr<std::vector<Value>> EvaluateImported(const ir::Module& imported,
                                              const passes::PassOptions& options,
                                              const ir::WeightReader& weights,
                                              absl::Span<const int32_t> tokens) {
  ir::Module module = imported;
  const passes::PipelineOptions formats_only{
      .pass = options, .disabled = OptionalPasses(), .stop_after = "select-kv-format"};
  WEFT_RETURN_IF_ERROR(
      passes::RunPipeline(passes::DefaultPipeline(), formats_only, &module).status());
  return Evaluator(module, weights, tokens).Run();
}

}  // namespace weft::graphs
