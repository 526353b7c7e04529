// A module: the tensors of the model files it refers to, and nodes in SSA form, plain data in one
// arena.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "ir/op.h"
#include "ir/type.h"

namespace weft::ir {

using NodeId = int32_t;

// Where a weight lies: bytes [offset, offset + bytes) of file number `file`, row-major, outermost
// dim first.
struct SourceTensor {
  std::string name;
  DataType dtype = DataType::kF32;
  std::vector<int64_t> dims;
  int file = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  bool operator==(const SourceTensor&) const = default;
};

struct Node {
  Op op;
  std::vector<NodeId> operands;
  std::vector<std::pair<Attr, AttrValue>> attrs;  // sorted by Attr, no two alike
  Type type;
  std::string location;  // the model's own name for what is computed: model.layers.3.mlp.down_proj

  bool Has(Attr attr) const { return Find(attr) != nullptr; }
  const AttrValue* Find(Attr attr) const;
  void Set(Attr attr, AttrValue value);
  void Remove(Attr attr);
  // Values of attributes that are there and of their table kind (the verifier sees to both); the
  // second form gives `fallback` where the attribute is not set.
  int64_t Int(Attr attr) const;
  int64_t Int(Attr attr, int64_t fallback) const { return Has(attr) ? Int(attr) : fallback; }
  double Float(Attr attr) const;
  double Float(Attr attr, double fallback) const { return Has(attr) ? Float(attr) : fallback; }
  bool Bool(Attr attr) const;  // false where not set
  const std::string& String(Attr attr) const;
  absl::Span<const int64_t> Ints(Attr attr) const;         // empty where not set
  absl::Span<const double> Floats(Attr attr) const;        // empty where not set
  absl::Span<const std::string> Strings(Attr attr) const;  // empty where not set
};

// Which operands of a matmul are what.
struct MatmulOperands {
  NodeId f32_input = -1;        // -1: none
  NodeId quantized_input = -1;  // -1: none
  std::vector<NodeId> weights;
  NodeId bias = -1;
  NodeId residual = -1;
};

// Of a matmul whose epilogue begins with gated_<fn> the fn, else "".
absl::string_view GatedFn(const Node& matmul);
// Whether its epilogue ends with quantize.
bool QuantizesResult(const Node& matmul);
// Panels of weights that it takes to finish outputs: two, where one is gate and one up, for each of
// 16 outputs, of which a quantised block has twice as many.
int UnitPanels(const Node& matmul);

class Module {
 public:
  std::string name;
  std::vector<SourceTensor> tensors;
  std::vector<NodeId> outputs;

  const Node& node(NodeId id) const { return nodes_[id]; }
  Node& node(NodeId id) { return nodes_[id]; }
  // All nodes in program order; operands stand before their users.
  const std::vector<NodeId>& order() const { return order_; }
  // Ids are below this.
  NodeId id_bound() const { return static_cast<NodeId>(nodes_.size()); }

  NodeId Append(Node node);
  NodeId InsertBefore(NodeId anchor, Node node);
  NodeId InsertAfter(NodeId anchor, Node node);
  // Every use of `from` as an operand or an output becomes `to`, but in `except`.
  void ReplaceUses(NodeId from, NodeId to, NodeId except = -1);
  // Puts the nodes into a new order, which must hold each node of the old one at most once (those
  // left out are dropped).
  void SetOrder(std::vector<NodeId> order);
  // Drops nodes that no output needs and numbers the rest in program order. Ids change.
  void Compact();

  // Indexed by id: the nodes that have it as an operand, in program order, each once.
  std::vector<std::vector<NodeId>> Users() const;
  const SourceTensor* FindTensor(absl::string_view tensor_name) const;
  void AddTensor(SourceTensor tensor);
  MatmulOperands OperandsOf(const Node& matmul) const;

  // Same text form.
  friend bool operator==(const Module& a, const Module& b);

 private:
  NodeId InsertAt(size_t place, Node node);
  size_t PlaceOf(NodeId id) const;

  std::vector<Node> nodes_;
  std::vector<NodeId> order_;
  absl::flat_hash_map<std::string, size_t> tensor_index_;
};

}  // namespace weft::ir
