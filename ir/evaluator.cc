#include "ir/evaluator.h"

#include "absl/strings/str_cat.h"
#include "ir/evaluator_ops.h"

namespace weft::ir {

int64_t Value::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) rows *= dims[i];
  return rows;
}

absl::StatusOr<std::vector<Value>> Evaluate(const Module& module, const WeightReader& weights,
                                            absl::Span<const int32_t> tokens,
                                            const EvaluateOptions& options) {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0) return absl::InvalidArgumentError("no tokens to evaluate");
  const EvalContext context{module, weights, tokens,
                            options.logit_rows == 0 ? count : options.logit_rows};
  if (context.logit_rows < 1 || context.logit_rows > count) {
    return absl::InvalidArgumentError(
        absl::StrCat("logits of ", context.logit_rows, " of ", count, " tokens"));
  }
  std::vector<int> uses(module.id_bound(), 0);
  for (NodeId id : module.order()) {
    for (NodeId operand : module.node(id).operands) ++uses[operand];
  }
  for (NodeId id : module.outputs) ++uses[id];

  std::vector<Value> values(module.id_bound());
  for (NodeId id : module.order()) {
    const Node& node = module.node(id);
    std::vector<const Value*> operands;
    operands.reserve(node.operands.size());
    for (NodeId operand : node.operands) operands.push_back(&values[operand]);
    absl::StatusOr<Value> value = EvaluateOp(context, node, operands);
    if (!value.ok()) {
      return absl::Status(value.status().code(), absl::StrCat(Name(node.op), " at '", node.location,
                                                              "': ", value.status().message()));
    }
    values[id] = *std::move(value);
    if (options.observer) options.observer(node, values[id]);
    for (NodeId operand : node.operands) {
      if (--uses[operand] == 0) values[operand] = Value();
    }
  }
  std::vector<Value> outputs;
  outputs.reserve(module.outputs.size());
  for (NodeId id : module.outputs) outputs.push_back(values[id]);
  return outputs;
}

}  // namespace weft::ir
