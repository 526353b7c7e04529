#include "tools/dot_graph.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "runtime/abi/check.h"
#include "tools/layer_names.h"

namespace weft::tools {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// A label knows no escapes but of quote and backslash.
std::string Escape(absl::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result.push_back('\\');
    result.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return result;
}

std::string Label(const std::vector<std::string>& lines) {
  return absl::StrJoin(lines, "\\n",
                       [](std::string* out, const std::string& line) { *out += Escape(line); });
}

struct ValueText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return absl::StrCat(value); }
  std::string operator()(double value) const { return absl::StrCat(value); }
  std::string operator()(const std::string& value) const { return value; }
  template <typename T>
  std::string operator()(const std::vector<T>& values) const {
    return absl::StrJoin(values, ", ");
  }
};

// Values that are there before anything runs.
bool IsConstant(Op op) {
  return op == Op::kWeight || op == Op::kConcat || op == Op::kPack || op == Op::kRopeTable;
}

// Fill of a node: what costs memory traffic stands out.
const char* Colour(Op op) {
  switch (op) {
    case Op::kMatmul:
      return "#cfe2ff";
    case Op::kAttention:
    case Op::kKvAppend:
    case Op::kRope:
      return "#ffe5c7";
    case Op::kEmbed:
    case Op::kArgmax:
    case Op::kSelectRows:
      return "#e4dcf7";
    case Op::kRmsNorm:
    case Op::kLayerNorm:
      return "#dff2d8";
    case Op::kInput:
      return "#eeeeee";
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kActivate:
    case Op::kGatedActivate:
    case Op::kSoftcap:
      return "#ffffff";
    case Op::kWeight:
    case Op::kConcat:
    case Op::kPack:
    case Op::kRopeTable:
    case Op::kSlice:
      break;
  }
  WEFT_CHECK(false);
}

// Of which layer one and the same attribute differs, or is of no interest to a reader.
bool IsLeftOut(Attr attr) {
  return attr == Attr::kLayer || attr == Attr::kTensor || attr == Attr::kWhy ||
         attr == Attr::kEps || attr == Attr::kWeights || attr == Attr::kInputs ||
         attr == Attr::kEpilogue || attr == Attr::kName || ir::IsScheduleAttr(attr);
}

// What is compared of a node with that of another layer: names of parts, and their values.
using Parts = std::map<std::string, std::string>;

class Drawing {
 public:
  explicit Drawing(const Module& module)
      : module_(module), number_(module.id_bound(), -1), source_(module.id_bound()) {
    NodeId next = 0;
    for (const NodeId id : module.order()) {
      number_[id] = next++;
      const Node& node = module.node(id);
      source_[id] = {id, 0};
      if (node.op == Op::kSlice) {
        const Columns& sliced = source_[node.operands[0]];
        source_[id] = {sliced.source, sliced.begin + node.Int(Attr::kBegin)};
      }
      const int64_t layer = LayerOf(node.location);
      if (!IsConstant(node.op) && node.op != Op::kSlice && layer >= 0) layers_[layer].push_back(id);
    }
  }

  absl::StatusOr<std::string> Draw(int64_t expanded) {
    if (expanded == kFirstLayer && !layers_.empty()) expanded = layers_.begin()->first;
    if (expanded >= 0 && !layers_.contains(expanded)) {
      return absl::NotFoundError(
          layers_.empty() ? "--expand-layer: no op of this graph belongs to a layer"
                          : absl::StrCat("--expand-layer ", expanded, ": the layers are ",
                                         layers_.begin()->first, " to ", layers_.rbegin()->first));
    }
    text_ = absl::StrCat("digraph \"", Escape(module_.name),
                         "\" {\n  graph [fontname=\"Helvetica\", nodesep=0.3, ranksep=0.35];\n"
                         "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", "
                         "fontname=\"Helvetica\", fontsize=11];\n"
                         "  edge [fontname=\"Helvetica\", fontsize=9, fontcolor=\"#555555\"];\n");
    Collapse(expanded);
    for (const auto& [layer, nodes] : layers_) {
      if (!place_.contains(nodes.front())) Cluster(layer, nodes);
    }
    for (const NodeId id : module_.order()) {
      const Node& node = module_.node(id);
      if (IsConstant(node.op) || node.op == Op::kSlice) continue;
      if (LayerOf(node.location) < 0) AddNode("  ", id);
    }
    for (const NodeId id : module_.order()) Edges(id);
    return text_ + "}\n";
  }

 private:
  // Columns from `begin` on of what a value is cut out of.
  struct Columns {
    NodeId source = -1;
    int64_t begin = 0;
  };

  // Weights and tables that a node uses, with their format, in order.
  std::vector<std::string> Weights(const Node& node, bool matrices_only) const {
    std::vector<std::string> texts;
    for (const NodeId operand : node.operands) AppendWeights(operand, matrices_only, &texts);
    return texts;
  }

  void AppendWeights(NodeId id, bool matrices_only, std::vector<std::string>* texts) const {
    const Node& node = module_.node(id);
    if (node.op == Op::kConcat) {
      for (const NodeId part : node.operands) AppendWeights(part, matrices_only, texts);
      return;
    }
    if (node.op != Op::kWeight && node.op != Op::kPack) return;
    if (matrices_only && node.type.rank() < 2) return;
    std::string text = ir::ToString(node.type);
    if (node.op == Op::kWeight && node.Has(Attr::kFormat))
      absl::StrAppend(&text, " as ", node.String(Attr::kFormat));
    texts->push_back(std::move(text));
  }

  std::string TableText(const Node& node) const {
    for (const NodeId operand : node.operands) {
      const Node& table = module_.node(operand);
      if (table.op == Op::kRopeTable) return absl::StrCat("table %", number_[operand]);
    }
    return "";
  }

  std::vector<std::string> Lines(NodeId id) const {
    const Node& node = module_.node(id);
    std::vector<std::string> lines;
    const std::string name =
        LayerOf(node.location) < 0 ? node.location : WithinLayer(node.location);
    if (!name.empty()) lines.push_back(name);
    std::string op = absl::StrCat("%", number_[id], " ", ir::Name(node.op));
    for (const std::string& step : node.Strings(Attr::kEpilogue)) absl::StrAppend(&op, " + ", step);
    lines.push_back(std::move(op));
    std::vector<std::string> details;
    for (const auto& [attr, value] : node.attrs) {
      if (!IsLeftOut(attr))
        details.push_back(absl::StrCat(ir::Name(attr), " ", std::visit(ValueText{}, value)));
    }
    if (const std::string table = TableText(node); !table.empty()) details.push_back(table);
    if (node.Int(Attr::kUnits, 1) > 1)
      details.push_back(absl::StrCat("units ", node.Int(Attr::kUnits)));
    if (!details.empty()) lines.push_back(absl::StrJoin(details, ", "));
    for (std::string& weight : Weights(node, /*matrices_only=*/true))
      lines.push_back(std::move(weight));
    return lines;
  }

  void AddNode(absl::string_view indent, NodeId id) {
    place_[id] = absl::StrCat("n", number_[id]);
    absl::StrAppend(&text_, indent, place_[id], " [label=\"", Label(Lines(id)), "\", fillcolor=\"",
                    Colour(module_.node(id).op), "\"];\n");
  }

  void Cluster(int64_t layer, const std::vector<NodeId>& nodes) {
    absl::StrAppend(&text_, "  subgraph cluster_", layer, " {\n    label=\"layer ", layer, " of ",
                    layers_.size(), "\";\n    style=rounded; bgcolor=\"#f7f7f7\";\n");
    for (const NodeId id : nodes) AddNode("    ", id);
    absl::StrAppend(&text_, "  }\n");
  }

  // Gives the ops of layers that are not shown one place for each run of layers that are alike.
  void Collapse(int64_t expanded) {
    if (expanded == kAllLayers || layers_.empty()) return;
    const std::vector<Parts> shown = PartsOf(layers_.at(expanded));
    for (auto first = layers_.begin(); first != layers_.end();) {
      if (first->first == expanded) {
        ++first;
        continue;
      }
      const std::vector<Parts> parts = PartsOf(first->second);
      auto last = first;
      for (auto next = std::next(first);
           next != layers_.end() && next->first != expanded && PartsOf(next->second) == parts;
           ++next) {
        last = next;
      }
      const std::string place = absl::StrCat("layers", first->first);
      std::vector<std::string> lines = {
          first == last ? absl::StrCat("layer ", first->first)
                        : absl::StrCat("layers ", first->first, "..", last->first)};
      for (std::string& line : Comparison(expanded, shown, parts)) lines.push_back(std::move(line));
      absl::StrAppend(&text_, "  ", place, " [label=\"", Label(lines),
                      "\", shape=box3d, style=filled, fillcolor=\"#f7f7f7\"];\n");
      const auto end = std::next(last);
      for (; first != end; ++first) {
        for (const NodeId id : first->second) place_[id] = place;
      }
    }
  }

  std::vector<Parts> PartsOf(const std::vector<NodeId>& nodes) const {
    std::vector<Parts> all;
    std::map<NodeId, size_t> index;
    for (const NodeId id : nodes) {
      const Node& node = module_.node(id);
      Parts parts = {{"op", absl::StrCat(ir::Name(node.op), " ", WithoutLayer(node.location))},
                     {"type", ir::ToString(node.type)},
                     {"epilogue", absl::StrJoin(node.Strings(Attr::kEpilogue), ", ")},
                     {"weights", absl::StrJoin(Weights(node, /*matrices_only=*/false), ", ")},
                     {"table", TableText(node)}};
      for (const auto& [attr, value] : node.attrs) {
        if (!IsLeftOut(attr)) parts[std::string(ir::Name(attr))] = std::visit(ValueText{}, value);
      }
      std::string operands;
      for (const NodeId operand : node.operands) {
        if (IsConstant(module_.node(operand).op)) continue;
        const auto [source, columns] = SourceOf(operand);
        const auto found = index.find(source);
        absl::StrAppend(&operands, " ",
                        found == index.end() ? "outside" : absl::StrCat(found->second), columns);
      }
      parts["operands"] = std::move(operands);
      index[id] = all.size();
      all.push_back(std::move(parts));
    }
    return all;
  }

  // How the layers of `parts` differ from layer `number`, which has `shown`.
  static std::vector<std::string> Comparison(int64_t number, const std::vector<Parts>& shown,
                                             const std::vector<Parts>& parts) {
    const std::string ops = absl::StrCat(parts.size(), " ops");
    if (parts == shown) return {absl::StrCat("same as layer ", number, ": ", ops)};
    std::vector<std::string> differences;
    const bool same_ops = std::ranges::equal(
        parts, shown, [](const Parts& a, const Parts& b) { return a.at("op") == b.at("op"); });
    if (!same_ops) {
      return {absl::StrCat(ops, ", not those of layer ", number, ","),
              absl::StrCat("which has ", shown.size())};
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      std::set<std::string> names;
      for (const auto& [name, value] : parts[i]) {
        if (!shown[i].contains(name) || shown[i].at(name) != value) names.insert(name);
      }
      for (const auto& [name, value] : shown[i]) {
        if (!parts[i].contains(name)) names.insert(name);
      }
      if (names.empty()) continue;
      const std::string& op = parts[i].at("op");
      std::string line = absl::StrCat(op.substr(0, op.find(' ')), ": ", absl::StrJoin(names, ", "));
      if (std::ranges::find(differences, line) == differences.end())
        differences.push_back(std::move(line));
    }
    std::vector<std::string> lines = {absl::StrCat("as layer ", number, ": ", ops, ", but other")};
    lines.insert(lines.end(), differences.begin(), differences.end());
    return lines;
  }

  // The op that a value comes from, and which columns of its result it is, if not all.
  std::pair<NodeId, std::string> SourceOf(NodeId id) const {
    const Node& node = module_.node(id);
    const auto [source, begin] = source_[id];
    if (node.op != Op::kSlice) return {id, ""};
    const int64_t width = node.Int(Attr::kEnd) - node.Int(Attr::kBegin);
    return {source, absl::StrCat(" columns ", begin, "..", begin + width)};
  }

  void Edges(NodeId id) {
    const Node& node = module_.node(id);
    if (IsConstant(node.op) || node.op == Op::kSlice) return;
    for (const NodeId operand : node.operands) {
      if (IsConstant(module_.node(operand).op)) continue;
      const auto [source, columns] = SourceOf(operand);
      const std::string& from = place_.at(source);
      const std::string& to = place_.at(id);
      if (from == to) continue;
      // A blank keeps the text off its edge.
      std::vector<std::string> label = {
          absl::StrCat(" ", ir::ToString(module_.node(operand).type))};
      if (!columns.empty()) label.push_back(columns);
      // Positions go to every layer: such edges are kept from pulling the layout apart, and left
      // out where the layer is not shown.
      const Node& input = module_.node(source);
      const bool positions = input.op == Op::kInput && input.String(Attr::kName) == "positions";
      if (positions && to[0] != 'n') continue;
      const std::string edge = absl::StrCat(
          "  ", from, " -> ", to, " [label=\"", positions ? "" : Label(label), "\"",
          positions ? ", style=dashed, color=\"#aaaaaa\", constraint=false" : "", "];\n");
      if (edges_.insert(edge).second) text_ += edge;
    }
  }

  const Module& module_;
  std::vector<NodeId> number_;                     // by id: as in the text of the module
  std::vector<Columns> source_;                    // by id, of what is no slice: itself
  std::map<int64_t, std::vector<NodeId>> layers_;  // their ops, in order
  std::map<NodeId, std::string> place_;            // what an op is drawn as
  std::set<std::string> edges_;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::string> DotGraph(const Module& module, int64_t expanded) {
  return Drawing(module).Draw(expanded);
}

}  // namespace weft::tools
