// What occurs in a graph, in words.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/graphs/graph_generator.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;

class Collector {
 public:
  explicit Collector(const ir::Module& module) : module_(module), users_(module.Users()) {}

  std::vector<std::string> Run() {
    for (const NodeId id : module_.order()) Look(id);
    std::map<std::pair<std::string, std::string>, int> tensors;
    for (const NodeId id : module_.order()) {
      const Node& node = module_.node(id);
      if (node.op == Op::kWeight) ++tensors[{node.String(Attr::kTensor), KeyOf(node)}];
    }
    for (const auto& [key, count] : tensors) Note(count > 1, "tensor of two weights");
    return {found_.begin(), found_.end()};
  }

 private:
  static std::string KeyOf(const Node& weight) {
    return absl::StrCat(weight.Has(Attr::kRows) ? weight.Ints(Attr::kRows)[0] : -1);
  }

  template <typename... Args>
  void Note(bool holds, const Args&... words) {
    if (holds) found_.insert(absl::StrCat(words...));
  }

  const Node& Operand(const Node& node, size_t i) const { return module_.node(node.operands[i]); }
  bool UsedBy(NodeId id, Op op) const {
    return std::ranges::any_of(users_[id],
                               [&](NodeId user) { return module_.node(user).op == op; });
  }

  void Look(NodeId id) {
    const Node& node = module_.node(id);
    const auto& info = ir::GetInfo(node.op);
    Note(true, info.name);
    for (const Attr attr : info.optional) Note(node.Has(attr), info.name, " ", ir::Name(attr));
    if (node.Has(Attr::kFn)) Note(true, info.name, " ", node.String(Attr::kFn));
    const bool rows = node.type.rank() == 2 && node.type.dims[0].is_symbol();
    Note(rows && node.type.dims[0] == ir::Dim(ir::Symbol::kLogitRows), info.name, " of L");
    Note(rows && users_[id].size() > 1, "value used twice");
    Note(rows && users_[id].empty() && std::ranges::count(module_.outputs, id) == 0, "dead value");
    if (rows) {
      const int64_t width = node.type.last().value();
      Note(width == 1, "width 1");
      Note(width % 16 != 0, "width of no whole panel");
      Note(width % 16 == 0 && width % 32 != 0, "width of half a block");
      Note(width % 64 == 0, "width of whole blocks of gate and up");
    }
    if (node.op == Op::kWeight) LookAtWeight(id);
    if (node.op == Op::kMatmul) LookAtMatmul(id);
    if (node.op == Op::kAttention) LookAtAttention(node);
    if (node.op == Op::kKvAppend) {
      Note(node.operands[0] == node.operands[1], "keys are values");
      Note(
          std::ranges::count_if(
              users_[id], [&](NodeId user) { return module_.node(user).op == Op::kAttention; }) > 1,
          "attentions share a cache");
    }
    if (node.op == Op::kRope) {
      const int64_t head_dim = node.type.last().value() / node.Int(Attr::kHeads);
      Note(Operand(node, 2).type.last().value() < head_dim, "rope of a part");
    }
    if (node.op == Op::kEmbed) {
      const Node& ids = Operand(node, 0);
      Note(true, "embed by ", ids.op == Op::kInput ? ids.String(Attr::kName) : "argmax");
    }
    if (node.op == Op::kAdd || node.op == Op::kMul) {
      Note(Operand(node, 1).type.rank() == 1, info.name, " of a vector");
      Note(node.operands[0] == node.operands[1], info.name, " of a value and itself");
      Note(Operand(node, 0).op == Op::kMatmul && Operand(node, 1).op == Op::kMatmul, info.name,
           " of two matmuls");
    }
    if (node.op == Op::kScale) Note(node.Float(Attr::kValue) == 1, "scale by 1");
    if (node.op == Op::kSlice) Note(Operand(node, 0).op == Op::kMatmul, "slice of a matmul");
  }

  void LookAtWeight(NodeId id) {
    const Node& node = module_.node(id);
    Note(true, node.type.rank() == 2 ? "matrix " : "vector ", Name(node.type.dtype));
    Note(node.type.rank() == 1 && node.Has(Attr::kRows), "vector cut");
    Note(UsedBy(id, Op::kEmbed) && UsedBy(id, Op::kMatmul), "tied embedding");
    Note(users_[id].size() > 1, "weight used twice");
    if (node.type.rank() == 2)
      Note(node.type.dims[1].value() % 32 != 0, "matrix of no whole blocks");
  }

  void LookAtMatmul(NodeId id) {
    const Node& node = module_.node(id);
    const NodeId x = node.operands[0];
    const auto siblings = std::ranges::count_if(
        users_[x], [&](NodeId user) { return module_.node(user).op == Op::kMatmul; });
    Note(siblings > 2, "several matmuls of one input");
    Note(Operand(node, 1).op == Op::kConcat, "matmul by a concat");
    for (const NodeId user : users_[id]) {
      const Node& next = module_.node(user);
      Note(next.op == Op::kAdd && Operand(next, 1).type.rank() == 1, "matmul with bias");
      Note(next.op == Op::kAdd && Operand(next, 1).type.rank() == 2, "matmul with residual");
      Note(next.op == Op::kActivate, "matmul with activation");
    }
    const int64_t outputs = node.type.last().value();
    Note(outputs < 16, "matmul of less than a panel");
    Note(outputs > 256, "matmul of many panels");
  }

  void LookAtAttention(const Node& node) {
    const ir::Type& cache = Operand(node, 1).type;
    Note(true, "heads for each of the cache: ", node.Int(Attr::kHeads) / cache.dims[2].value());
    const int64_t head_dim = cache.dims[3].value();
    Note(true, "head_dim ", head_dim);
    Note(node.Has(Attr::kWindow) && node.Has(Attr::kSoftcap), "attention window and softcap");
    const Op query = Operand(node, 0).op;
    Note(query == Op::kRope, "queries rotated");
    Note(query != Op::kRope, "queries not rotated");
  }

  const ir::Module& module_;
  const std::vector<std::vector<NodeId>> users_;
  std::set<std::string> found_;
};

}  // namespace

std::vector<std::string> Features(const ir::Module& module) { return Collector(module).Run(); }

}  // namespace weft::graphs
