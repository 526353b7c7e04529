// What a kernel is: an op, its attributes, and the types and strides of its operands. Two steps
// with equal specs share one kernel. Addresses, locations and layer numbers are no part of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/module.h"

namespace weft::codegen {

struct KernelOperand {
  ir::Type type;
  int64_t stride = 0;  // bytes from row to row; 0 where the type has no rows of activations
};

// A node is one step, or, with a workspace, two: attention over slices, and their merge.
int Phases(const ir::Node& node);
// The workspace of the node itself among the operands of its kernels.
inline constexpr ir::NodeId kWorkspace = -1;
// What the kernel of a phase gets, but for the result, which comes last.
std::vector<ir::NodeId> OperandsOf(const ir::Node& node, int phase);

struct KernelSpec {
  ir::Node node;  // op, attributes and result type; operands, location and addresses are cleared
  int phase = 0;
  std::vector<KernelOperand> operands;  // as OperandsOf, then the result
  int64_t context = 0;                  // positions of the KV cache

  const KernelOperand& result() const { return operands.back(); }
  int result_index() const { return static_cast<int>(operands.size()) - 1; }
  ir::Op op() const { return node.op; }

  // Which of `operands` are a matmul's what; -1 where there is none.
  struct MatmulRoles {
    int f32_input = -1;
    int quantized_input = -1;
    std::vector<int> weights;
    int bias = -1;
    int residual = -1;
  };
  MatmulRoles Roles() const;

  // All of it as text: equal texts, equal kernels.
  std::string Key() const;
  // What it computes, fit for a symbol: matmul_q8_0_1536x576_bias. Different specs may share it.
  std::string BaseName() const;
};

KernelSpec MakeSpec(const ir::Module& module, const ir::Node& node, int64_t context, int phase = 0);

}  // namespace weft::codegen
