#include "ir/module.h"

#include <algorithm>

#include "absl/strings/strip.h"
#include "ir/text.h"
#include "runtime/abi/check.h"

namespace weft::ir {

const AttrValue* Node::Find(Attr attr) const {
  for (const auto& [key, value] : attrs) {
    if (key == attr) return &value;
  }
  return nullptr;
}

void Node::Set(Attr attr, AttrValue value) {
  WEFT_CHECK(value.index() == static_cast<size_t>(GetInfo(attr).kind));
  auto place = std::ranges::lower_bound(attrs, attr, {}, &std::pair<Attr, AttrValue>::first);
  if (place != attrs.end() && place->first == attr) {
    place->second = std::move(value);
  } else {
    attrs.emplace(place, attr, std::move(value));
  }
}

void Node::Remove(Attr attr) {
  std::erase_if(attrs, [attr](const auto& entry) { return entry.first == attr; });
}

namespace {

template <typename T>
const T& Get(const Node& node, Attr attr) {
  const AttrValue* value = node.Find(attr);
  WEFT_CHECK(value != nullptr && std::holds_alternative<T>(*value));
  return std::get<T>(*value);
}

template <typename T>
absl::Span<const T> GetList(const Node& node, Attr attr) {
  if (!node.Has(attr)) return {};
  return Get<std::vector<T>>(node, attr);
}

}  // namespace

int64_t Node::Int(Attr attr) const { return Get<int64_t>(*this, attr); }
double Node::Float(Attr attr) const { return Get<double>(*this, attr); }
bool Node::Bool(Attr attr) const { return Has(attr) && Get<bool>(*this, attr); }
const std::string& Node::String(Attr attr) const { return Get<std::string>(*this, attr); }
absl::Span<const int64_t> Node::Ints(Attr attr) const { return GetList<int64_t>(*this, attr); }
absl::Span<const double> Node::Floats(Attr attr) const { return GetList<double>(*this, attr); }
absl::Span<const std::string> Node::Strings(Attr attr) const {
  return GetList<std::string>(*this, attr);
}

NodeId Module::InsertAt(size_t place, Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(std::move(node));
  order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(place), id);
  return id;
}

size_t Module::PlaceOf(NodeId id) const {
  auto found = std::ranges::find(order_, id);
  WEFT_CHECK(found != order_.end());
  return static_cast<size_t>(found - order_.begin());
}

NodeId Module::Append(Node node) { return InsertAt(order_.size(), std::move(node)); }
NodeId Module::InsertBefore(NodeId anchor, Node node) {
  return InsertAt(PlaceOf(anchor), std::move(node));
}
NodeId Module::InsertAfter(NodeId anchor, Node node) {
  return InsertAt(PlaceOf(anchor) + 1, std::move(node));
}

void Module::ReplaceUses(NodeId from, NodeId to, NodeId except) {
  for (NodeId id : order_) {
    if (id != except) std::ranges::replace(nodes_[id].operands, from, to);
  }
  std::ranges::replace(outputs, from, to);
}

void Module::SetOrder(std::vector<NodeId> order) { order_ = std::move(order); }

void Module::Compact() {
  std::vector<bool> live(nodes_.size(), false);
  for (NodeId id : outputs) live[id] = true;
  for (size_t i = order_.size(); i-- > 0;) {
    if (!live[order_[i]]) continue;
    for (NodeId operand : nodes_[order_[i]].operands) live[operand] = true;
  }
  std::vector<NodeId> renamed(nodes_.size(), -1);
  std::vector<Node> nodes;
  for (NodeId id : order_) {
    if (!live[id]) continue;
    renamed[id] = static_cast<NodeId>(nodes.size());
    nodes.push_back(std::move(nodes_[id]));
  }
  order_.clear();
  for (Node& node : nodes) {
    for (NodeId& operand : node.operands) operand = renamed[operand];
    order_.push_back(static_cast<NodeId>(order_.size()));
  }
  for (NodeId& id : outputs) id = renamed[id];
  nodes_ = std::move(nodes);
}

std::vector<std::vector<NodeId>> Module::Users() const {
  std::vector<std::vector<NodeId>> users(nodes_.size());
  for (NodeId id : order_) {
    for (NodeId operand : nodes_[id].operands) {
      if (users[operand].empty() || users[operand].back() != id) users[operand].push_back(id);
    }
  }
  return users;
}

const SourceTensor* Module::FindTensor(absl::string_view tensor_name) const {
  auto found = tensor_index_.find(tensor_name);
  return found == tensor_index_.end() ? nullptr : &tensors[found->second];
}

void Module::AddTensor(SourceTensor tensor) {
  tensor_index_.emplace(tensor.name, tensors.size());
  tensors.push_back(std::move(tensor));
}

MatmulOperands Module::OperandsOf(const Node& matmul) const {
  WEFT_CHECK(matmul.op == Op::kMatmul);
  MatmulOperands result;
  size_t next = 0;
  for (int64_t i = 0; i < matmul.Int(Attr::kInputs, 1); ++i) {
    const NodeId id = matmul.operands.at(next++);
    (node(id).type.dtype == DataType::kQ8A ? result.quantized_input : result.f32_input) = id;
  }
  for (int64_t i = 0; i < matmul.Int(Attr::kWeights, 1); ++i) {
    result.weights.push_back(matmul.operands.at(next++));
  }
  for (const std::string& step : matmul.Strings(Attr::kEpilogue)) {
    if (step == "bias") result.bias = matmul.operands.at(next++);
    if (step == "residual") result.residual = matmul.operands.at(next++);
  }
  WEFT_CHECK(next == matmul.operands.size());
  return result;
}

absl::string_view GatedFn(const Node& matmul) {
  const auto epilogue = matmul.Strings(Attr::kEpilogue);
  if (epilogue.empty()) return "";
  absl::string_view fn = epilogue.front();
  return absl::ConsumePrefix(&fn, "gated_") ? fn : "";
}

bool QuantizesResult(const Node& matmul) {
  const auto epilogue = matmul.Strings(Attr::kEpilogue);
  return !epilogue.empty() && epilogue.back() == "quantize";
}

int UnitPanels(const Node& matmul) {
  return (GatedFn(matmul).empty() ? 1 : 2) * (QuantizesResult(matmul) ? 2 : 1);
}

bool operator==(const Module& a, const Module& b) { return Print(a) == Print(b); }

}  // namespace weft::ir
