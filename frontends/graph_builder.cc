#include "frontends/graph_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "frontends/families/family.h"
#include "frontends/layer_weights.h"
#include "ir/builder.h"
#include "ir/verifier.h"

namespace weft {
namespace {

using ir::Attr;
using ir::Attrs;
using ir::NodeId;
using ir::Op;
using Part = WeightFinder::Part;
using Stem = WeightFinder::Stem;

constexpr int64_t kDefaultContext = 4096;

// A projection as a tensor of its own, or as rows of one that is stored fused.
struct Projection {
  Stem stem;
  ExpectedDim rows;  // of the tensor
  bool fused = false;
  Part part;
  std::string location() const {
    return fused ? absl::StrCat(stem.location, ".", part.name) : stem.location;
  }
};

class DecoderBuilder {
 public:
  DecoderBuilder(const DecoderConfig& config, const TensorFiles& files, DecoderGraph* graph)
      : config_(config),
        family_(*config.family),
        names_(config.gguf ? *config.family->gguf_names : *config.family->hf_names),
        builder_(&graph->module),
        weights_(config, names_, files, &builder_),
        graph_(*graph) {
    const ConfigFieldNames& fields = config.fields;
    const auto dim = [](const std::string& field, int64_t value) {
      return ExpectedDim{value, absl::StrCat(field, " = ", value)};
    };
    const auto heads = [&](const std::string& field, int64_t count) {
      return ExpectedDim{
          count * config.head_dim,
          absl::StrCat(field, " = ", count, " · ", fields.head_dim, " = ", config.head_dim)};
    };
    hidden_ = dim(fields.hidden, config.hidden);
    intermediate_ = dim(fields.intermediate, config.intermediate);
    vocab_ = dim(fields.vocab, config.vocab);
    head_dim_ = dim(fields.head_dim, config.head_dim);
    q_rows_ = heads(fields.heads, config.heads);
    kv_rows_ = heads(fields.kv_heads, config.kv_heads);
  }

  absl::Status Build() {
    NodeId x = Embedding();
    for (size_t i = 0; i < config_.layers.size(); ++i) {
      // A model of thousands of layers fails at the first that is wrong.
      if (!builder_.status().ok()) return builder_.status();
      x = Layer(static_cast<int64_t>(i), x);
      if (i + 1 < config_.layers.size()) graph_.hidden_locations.push_back(Location(x));
    }
    Head(x);
    return builder_.status();
  }

 private:
  const std::string& Location(NodeId id) const { return graph_.module.node(id).location; }

  NodeId Embedding() {
    tokens_ = builder_.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, "tokens");
    positions_ = builder_.Add(Op::kInput, {}, {{Attr::kName, "positions"}}, "positions");
    const Stem stem = weights_.Global(names_.embedding);
    table_ = weights_.Matrix(stem, vocab_, hidden_);
    const bool scaled = config_.embedding_scale != 1;
    NodeId x = builder_.Add(Op::kEmbed, {tokens_, table_}, {},
                            scaled ? stem.location + ".lookup" : stem.location);
    if (scaled) {
      x = builder_.Add(Op::kScale, {x}, {{Attr::kValue, config_.embedding_scale}}, stem.location);
    }
    if (family_.learned_positions) {
      const Stem learned = weights_.Global(names_.positions);
      const ExpectedDim positions{
          config_.max_positions,
          absl::StrCat(config_.fields.positions, " = ", config_.max_positions)};
      const NodeId table = weights_.Matrix(learned, positions, hidden_);
      const NodeId rows = builder_.Add(Op::kEmbed, {positions_, table}, {}, learned.location);
      x = builder_.Add(Op::kAdd, {x, rows}, {}, absl::StrCat(stem.location, "+", names_.positions));
    }
    if (builder_.status().ok()) graph_.hidden_locations.push_back(Location(x));
    for (const RopeConfig& rope : config_.ropes) {
      tables_.push_back(builder_.Add(
          Op::kRopeTable, {},
          {{Attr::kContext, graph_.context},
           {Attr::kInvFreq, std::vector<double>(rope.inv_freq.begin(), rope.inv_freq.end())}},
          absl::StrCat(names_.prefixes.front(), names_.rope, rope.local ? "_local" : "")));
    }
    return x;
  }

  NodeId Norm(const Stem& stem, NodeId x, const ExpectedDim& width, int64_t group = 0) {
    const NodeId weight = weights_.Vector(stem, "weight", width);
    if (family_.norm == NormKind::kLayer) {
      const NodeId bias = weights_.Vector(stem, "bias", width);
      return builder_.Add(Op::kLayerNorm, {x, weight, bias}, {{Attr::kEps, config_.norm_eps}},
                          stem.location);
    }
    Attrs attrs = {{Attr::kEps, config_.norm_eps}};
    if (config_.norm_offset != 0) attrs.emplace_back(Attr::kOffset, config_.norm_offset);
    if (group != 0) attrs.emplace_back(Attr::kGroup, group);
    return builder_.Add(Op::kRmsNorm, {x, weight}, std::move(attrs), stem.location);
  }

  NodeId Project(const Projection& projection, NodeId x, const ExpectedDim& in, bool bias) {
    const Part* part = projection.fused ? &projection.part : nullptr;
    const NodeId weight =
        weights_.Matrix(projection.stem, projection.rows, in, part, names_.transposed);
    const std::string location = projection.location();
    NodeId y = builder_.Add(Op::kMatmul, {x, weight}, {}, location);
    if (!bias) return y;
    const NodeId addend = weights_.Vector(projection.stem, "bias", projection.rows, part);
    return builder_.Add(Op::kAdd, {y, addend}, {}, location + "+bias");
  }

  // The parts of what may be stored as one tensor `fused`, in its order of rows, or as one each.
  struct Piece {
    absl::string_view part;
    absl::string_view name;
    ExpectedDim rows;
  };
  std::vector<Projection> Pieces(int64_t layer, absl::string_view fused,
                                 const std::vector<Piece>& pieces) {
    const Stem whole = weights_.InLayer(layer, fused);
    const bool separate = fused.empty() || (!pieces[0].name.empty() && !weights_.Has(whole));
    std::vector<Projection> result;
    if (separate) {
      for (const Piece& piece : pieces)
        result.push_back({.stem = weights_.InLayer(layer, piece.name), .rows = piece.rows});
      return result;
    }
    ExpectedDim rows;
    for (const Piece& piece : pieces) {
      rows.value += piece.rows.value;
      absl::StrAppend(&rows.origin, rows.origin.empty() ? "" : " + ", piece.rows.origin);
    }
    int64_t begin = 0;
    for (const Piece& piece : pieces) {
      const int64_t end = begin + piece.rows.value;
      result.push_back({whole, rows, true, {piece.part, begin, end}});
      begin = end;
    }
    return result;
  }

  NodeId Rotate(const LayerConfig& layer, NodeId x, int64_t heads, const std::string& location) {
    if (layer.rope < 0) return x;
    Attrs attrs = {{Attr::kHeads, heads}};
    if (config_.interleaved_rope) attrs.emplace_back(Attr::kInterleaved, true);
    return builder_.Add(Op::kRope, {x, positions_, tables_[layer.rope]}, std::move(attrs),
                        location + ".rope");
  }

  NodeId Attention(int64_t i, NodeId x) {
    const LayerConfig& layer = config_.layers[i];
    const std::vector<Projection> qkv =
        Pieces(i, names_.qkv,
               {{"q", names_.q, q_rows_}, {"k", names_.k, kv_rows_}, {"v", names_.v, kv_rows_}});
    NodeId q = Project(qkv[0], x, hidden_, config_.qkv_bias);
    NodeId k = Project(qkv[1], x, hidden_, config_.qkv_bias);
    const NodeId v = Project(qkv[2], x, hidden_, config_.qkv_bias);
    if (family_.qk_norms) {
      q = Norm(weights_.InLayer(i, names_.q_norm), q, head_dim_, config_.head_dim);
      k = Norm(weights_.InLayer(i, names_.k_norm), k, head_dim_, config_.head_dim);
    }
    q = Rotate(layer, q, config_.heads, qkv[0].location());
    k = Rotate(layer, k, config_.kv_heads, qkv[1].location());

    const std::string location = weights_.InLayer(i, names_.attention).location;
    const NodeId cache =
        builder_.Add(Op::kKvAppend, {k, v}, {{Attr::kLayer, i}, {Attr::kHeads, config_.kv_heads}},
                     location + ".cache");
    Attrs attrs = {{Attr::kHeads, config_.heads}, {Attr::kScale, layer.attention_scale}};
    if (layer.window > 0) attrs.emplace_back(Attr::kWindow, layer.window);
    if (config_.attention_softcap > 0)
      attrs.emplace_back(Attr::kSoftcap, config_.attention_softcap);
    const NodeId mixed = builder_.Add(Op::kAttention, {q, cache}, std::move(attrs), location);
    return Project({.stem = weights_.InLayer(i, names_.attention_out), .rows = hidden_}, mixed,
                   q_rows_, config_.attention_out_bias);
  }

  NodeId FeedForward(int64_t i, NodeId x) {
    const auto activate = [&](NodeId y) {
      return builder_.Add(Op::kActivate, {y}, {{Attr::kFn, config_.activation}},
                          weights_.InLayer(i, names_.activation).location);
    };
    NodeId y = -1;
    if (family_.gated_ffn) {
      const std::vector<Projection> projections =
          Pieces(i, names_.gate_up,
                 {{"gate", names_.gate, intermediate_}, {"up", names_.up, intermediate_}});
      const NodeId gate = activate(Project(projections[0], x, hidden_, config_.ffn_bias));
      const NodeId up = Project(projections[1], x, hidden_, config_.ffn_bias);
      y = builder_.Add(Op::kMul, {gate, up}, {}, weights_.InLayer(i, names_.product).location);
    } else {
      y = activate(Project({.stem = weights_.InLayer(i, names_.up), .rows = intermediate_}, x,
                           hidden_, config_.ffn_bias));
    }
    return Project({.stem = weights_.InLayer(i, names_.down), .rows = hidden_}, y, intermediate_,
                   config_.ffn_bias);
  }

  NodeId Layer(int64_t i, NodeId x) {
    NodeId y = Attention(i, Norm(weights_.InLayer(i, names_.attention_norm), x, hidden_));
    if (family_.post_norms) y = Norm(weights_.InLayer(i, names_.post_attention_norm), y, hidden_);
    x = builder_.Add(Op::kAdd, {x, y}, {}, weights_.InLayer(i, names_.attention_residual).location);
    y = FeedForward(i, Norm(weights_.InLayer(i, names_.ffn_norm), x, hidden_));
    if (family_.post_norms) y = Norm(weights_.InLayer(i, names_.post_ffn_norm), y, hidden_);
    return builder_.Add(Op::kAdd, {x, y}, {}, weights_.InLayer(i, "").location);
  }

  void Head(NodeId x) {
    const Stem norm = weights_.Global(names_.final_norm);
    x = builder_.Add(Op::kSelectRows, {x}, {}, norm.location + ".rows");
    x = Norm(norm, x, hidden_);
    graph_.hidden_locations.push_back(norm.location);
    const Stem output = weights_.Output();
    const NodeId weight = config_.tied ? table_ : weights_.Matrix(output, vocab_, hidden_);
    NodeId logits = builder_.Add(Op::kMatmul, {x, weight}, {}, output.location);
    if (config_.final_softcap > 0) {
      logits = builder_.Add(Op::kSoftcap, {logits}, {{Attr::kCap, config_.final_softcap}},
                            output.location + ".softcap");
    }
    const NodeId argmax = builder_.Add(Op::kArgmax, {logits}, {}, output.location + ".argmax");
    graph_.module.outputs = {logits, argmax};
  }

  const DecoderConfig& config_;
  const Family& family_;
  const TensorNames& names_;
  ir::Builder builder_;
  WeightFinder weights_;
  DecoderGraph& graph_;

  ExpectedDim hidden_, intermediate_, vocab_, head_dim_, q_rows_, kv_rows_;
  NodeId tokens_ = -1;
  NodeId positions_ = -1;
  NodeId table_ = -1;
  std::vector<NodeId> tables_;
};

}  // namespace

absl::StatusOr<DecoderGraph> BuildGraph(const DecoderConfig& config, const TensorFiles& files,
                                        const std::string& name, const GraphOptions& options) {
  if (options.context < 0 || options.context > config.max_positions) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a context of ", options.context, " positions is not possible: ", config.fields.positions,
        " in ", config.source, " is ", config.max_positions));
  }
  DecoderGraph graph;
  graph.module.name = name;
  graph.context =
      options.context > 0 ? options.context : std::min(config.max_positions, kDefaultContext);
  if (absl::Status status = DecoderBuilder(config, files, &graph).Build(); !status.ok())
    return status;
  if (absl::Status status = ir::Verify(graph.module); !status.ok()) return status;
  return graph;
}

}  // namespace weft
