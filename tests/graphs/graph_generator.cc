#include "tests/graphs/graph_generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ir/verifier.h"
#include "tests/graphs/graph_writer.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Attrs;
using ir::NodeId;
using ir::Op;

class Generator {
 public:
  Generator(const Palette& palette, uint64_t seed, ir::Module* module)
      : palette_(palette),
        writer_(palette, seed, module),
        random_(writer_.random()),
        module_(*module) {}

  void Write(bool with_positions) {
    tokens_ = writer_.Add(Op::kInput, {}, {{Attr::kName, std::string("tokens")}});
    positions_ = writer_.Add(Op::kInput, {}, {{Attr::kName, std::string("positions")}});
    const int64_t hidden = palette_.hidden[0];
    vocab_ = palette_.vocab;
    table_ = writer_.Table(vocab_, hidden);
    NodeId x = Embed(tokens_, table_);
    if (with_positions || random_.OneIn(4)) x = Sum(x, EmbedPositions(hidden));
    const int64_t moves = random_.Between(1, random_.OneIn(5) ? 12 : 4);
    for (int64_t i = 0; i < moves; ++i) x = Move(x);
    Head(x);
  }

 private:
  NodeId Unary(Op op, NodeId x, Attrs attrs = {}) { return writer_.Add(op, {x}, std::move(attrs)); }
  NodeId Sum(NodeId a, NodeId b) {
    return random_.OneIn(2) ? writer_.Add(Op::kAdd, {a, b}) : writer_.Add(Op::kAdd, {b, a});
  }
  NodeId Slice(NodeId x, int64_t begin, int64_t end) {
    return Unary(Op::kSlice, x, {{Attr::kBegin, begin}, {Attr::kEnd, end}});
  }
  std::string Fn() {
    return random_.OneIn(16) ? random_.Pick({"gelu", "gelu_tanh", "silu"}) : palette_.fn;
  }
  NodeId Activate(NodeId x) { return Unary(Op::kActivate, x, {{Attr::kFn, Fn()}}); }
  int64_t PickOf(const std::vector<int64_t>& widths) { return widths[random_.OneIn(8) ? 1 : 0]; }
  int64_t PickWidth() { return PickOf(random_.OneIn(5) ? palette_.inner : palette_.hidden); }

  NodeId Embed(NodeId ids, NodeId table) {
    Attrs attrs;
    if (random_.OneIn(6)) attrs.emplace_back(Attr::kScale, palette_.scale);
    const NodeId x = writer_.Add(Op::kEmbed, {ids, table}, std::move(attrs));
    return random_.OneIn(4) ? Scale(x) : x;
  }

  NodeId EmbedPositions(int64_t width) {
    const int64_t rows = palette_.context + (random_.OneIn(3) ? 5 : 0);
    return writer_.Add(Op::kEmbed, {positions_, writer_.Table(rows, width)});
  }

  NodeId Scale(NodeId x) {
    return Unary(Op::kScale, x, {{Attr::kValue, random_.OneIn(4) ? 1.0 : palette_.scale}});
  }

  NodeId Norm(NodeId x, int64_t group = 0) {
    const int64_t width = group > 0 ? group : writer_.width(x);
    if (group == 0 && random_.OneIn(3)) {
      return writer_.Add(Op::kLayerNorm,
                         {x, writer_.Vector(width, 1, 0.25), writer_.Vector(width, 0, 0.25)},
                         {{Attr::kEps, palette_.eps}});
    }
    Attrs attrs = {{Attr::kEps, palette_.eps}};
    const bool offset = random_.OneIn(3);
    if (offset) attrs.emplace_back(Attr::kOffset, palette_.offset);
    if (group > 0) attrs.emplace_back(Attr::kGroup, group);
    return writer_.Add(Op::kRmsNorm, {x, writer_.Vector(width, offset ? 0 : 1, 0.25)},
                       std::move(attrs));
  }

  NodeId MaybeNorm(NodeId x) { return random_.OneIn(3) ? x : Norm(x); }

  NodeId WithBias(NodeId x) {
    const NodeId bias = writer_.Vector(writer_.width(x), 0, 0.5);
    // A bias on the left is a legal way to write it for no op: the vector comes second.
    return writer_.Add(Op::kAdd, {x, bias});
  }

  // A matmul by one weight or by several that stack to `out` rows.
  NodeId Linear(NodeId x, int64_t out) {
    const int64_t in = writer_.width(x);
    std::vector<NodeId> operands = {x};
    if (out > 2 && random_.OneIn(8)) {
      const int64_t first = random_.OneIn(2) ? out / 2 : 1;
      if (random_.OneIn(2)) {
        for (const NodeId part : writer_.Parts({first, out - first}, in)) operands.push_back(part);
      } else {
        operands.push_back(writer_.Matrix(first, in));
        operands.push_back(writer_.Matrix(out - first, in));
      }
      return writer_.Add(Op::kMatmul, std::move(operands), {{Attr::kWeights, int64_t{2}}});
    }
    operands.push_back(writer_.Matrix(out, in));
    return writer_.Add(Op::kMatmul, std::move(operands));
  }

  // With what an epilogue takes in, and with what it does not.
  NodeId Projection(NodeId x, int64_t out) {
    NodeId y = Linear(x, out);
    const int64_t steps = random_.Below(4);
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t kind = random_.Below(8);
      if (kind < 3) {
        y = WithBias(y);
      } else if (kind < 5) {
        y = Activate(y);
      } else if (const NodeId other = writer_.PickValue(writer_.width(y), writer_.selected(y));
                 other >= 0) {
        y = Sum(y, other);
      }
    }
    return y;
  }

  NodeId RopeTable(int64_t head_dim) {
    const int64_t pairs = random_.OneIn(3) ? random_.Between(1, head_dim / 2) : head_dim / 2;
    std::vector<double> frequencies;
    for (int64_t i = 0; i < pairs; ++i) {
      const double exponent = static_cast<double>(i) / static_cast<double>(pairs);
      frequencies.push_back(static_cast<float>(std::pow(100.0, -exponent)));
    }
    Attrs attrs = {{Attr::kContext, palette_.context}, {Attr::kInvFreq, std::move(frequencies)}};
    if (random_.OneIn(5)) attrs.emplace_back(Attr::kFactor, 1.25);
    return writer_.Add(Op::kRopeTable, {}, std::move(attrs));
  }

  NodeId Rope(NodeId x, int64_t heads, NodeId table) {
    Attrs attrs = {{Attr::kHeads, heads}};
    if (random_.OneIn(3)) attrs.emplace_back(Attr::kInterleaved, true);
    return writer_.Add(Op::kRope, {x, positions_, table}, std::move(attrs));
  }

  // Q, k and v as separate projections, as rows of one tensor, as columns of one matmul, or as
  // values that have nothing to do with each other.
  std::vector<NodeId> QueriesKeysValues(NodeId x, const AttentionShape& shape) {
    const int64_t q = shape.heads * shape.head_dim;
    const int64_t kv = shape.cached * shape.head_dim;
    const int64_t in = writer_.width(x);
    std::vector<NodeId> result;
    switch (random_.Below(6)) {
      case 0: {
        NodeId all = writer_.Add(Op::kMatmul, {x, writer_.Matrix(q + 2 * kv, in)});
        if (random_.OneIn(2)) all = WithBias(all);
        result = {Slice(all, 0, q), Slice(all, q, q + kv), Slice(all, q + kv, q + 2 * kv)};
        return result;
      }
      case 1:
        for (const NodeId weight : writer_.Parts({q, kv, kv}, in))
          result.push_back(writer_.Add(Op::kMatmul, {x, weight}));
        break;
      case 2: {
        // Keys that are values as well, of another input where there is one.
        const NodeId other = writer_.PickAny(false);
        const NodeId both = Linear(other, kv);
        result = {Linear(x, q), both, both};
        break;
      }
      default:
        for (const int64_t out : {q, kv, kv})
          result.push_back(writer_.Add(Op::kMatmul, {x, writer_.Matrix(out, in)}));
    }
    const int64_t biased = random_.Below(3);  // none, all, some
    for (NodeId& value : result) {
      if (biased == 1 || (biased == 2 && random_.OneIn(2))) value = WithBias(value);
    }
    return result;
  }

  NodeId Heads(NodeId x, int64_t heads, const AttentionShape& shape, bool norm, NodeId table) {
    if (norm) x = Norm(x, shape.head_dim);
    if (random_.OneIn(8)) x = Scale(x);
    if (table >= 0) x = Rope(x, heads, table);
    return x;
  }

  NodeId Attend(NodeId q, NodeId cache, const AttentionShape& shape) {
    Attrs attrs = {{Attr::kHeads, shape.heads}, {Attr::kScale, shape.scale}};
    if (shape.window > 0) attrs.emplace_back(Attr::kWindow, shape.window);
    if (shape.softcap > 0) attrs.emplace_back(Attr::kSoftcap, shape.softcap);
    return writer_.Add(Op::kAttention, {q, cache}, std::move(attrs));
  }

  NodeId Attention(NodeId x) {
    const AttentionShape& shape = palette_.attentions[random_.OneIn(4) ? 1 : 0];
    std::vector<NodeId> qkv = QueriesKeysValues(x, shape);
    const bool norms = random_.OneIn(3);
    const NodeId table = shape.head_dim > 1 && !random_.OneIn(4) ? RopeTable(shape.head_dim) : -1;
    const NodeId q = Heads(qkv[0], shape.heads, shape, norms, table);
    const NodeId k = Heads(qkv[1], shape.cached, shape, norms, table);
    const NodeId cache = writer_.Add(Op::kKvAppend, {k, qkv[2]},
                                     {{Attr::kLayer, layers_++}, {Attr::kHeads, shape.cached}});
    const NodeId mixed = Attend(q, cache, shape);
    // A second attention over the same cache.
    if (random_.OneIn(6)) {
      const NodeId other = Linear(x, shape.heads * shape.head_dim);
      return Sum(mixed, Attend(other, cache, shape));
    }
    return mixed;
  }

  NodeId FeedForward(NodeId x) {
    const int64_t inner = PickOf(palette_.inner);
    const int64_t in = writer_.width(x);
    NodeId gate = -1;
    NodeId up = -1;
    switch (random_.Below(5)) {
      case 0:
        return Projection(Activate(Linear(x, inner)), PickWidth());
      case 1: {
        const NodeId both = writer_.Add(Op::kMatmul, {x, writer_.Matrix(2 * inner, in)});
        gate = Slice(both, 0, inner);
        up = Slice(both, inner, 2 * inner);
        if (random_.OneIn(3)) std::swap(gate, up);
        break;
      }
      case 2: {
        const std::vector<NodeId> parts = writer_.Parts({inner, inner}, in);
        gate = writer_.Add(Op::kMatmul, {x, parts[0]});
        up = writer_.Add(Op::kMatmul, {x, parts[1]});
        break;
      }
      default:
        gate = writer_.Add(Op::kMatmul, {x, writer_.Matrix(inner, in)});
        up = writer_.Add(Op::kMatmul, {x, writer_.Matrix(inner, in)});
        if (random_.OneIn(4)) gate = WithBias(gate);
        if (random_.OneIn(4)) up = WithBias(up);
    }
    NodeId y = -1;
    if (random_.OneIn(5)) {
      y = writer_.Add(Op::kGatedActivate, {gate, up}, {{Attr::kFn, Fn()}});
    } else {
      const NodeId active = random_.OneIn(8) ? gate : Activate(gate);
      y = random_.OneIn(2) ? writer_.Add(Op::kMul, {active, up})
                           : writer_.Add(Op::kMul, {up, active});
      if (random_.OneIn(8)) y = Sum(y, active);
    }
    return random_.OneIn(6) ? y : Projection(y, PickWidth());
  }

  NodeId Elementwise(NodeId x) {
    const int64_t width = writer_.width(x);
    const bool selected = writer_.selected(x);
    switch (random_.Below(8)) {
      case 0:
        return Scale(x);
      case 1:
        return Activate(x);
      case 2:
        return Unary(Op::kSoftcap, x, {{Attr::kCap, palette_.cap}});
      case 3:
        return WithBias(x);
      case 4:
        return writer_.Add(Op::kMul, {x, writer_.Vector(width, 1, 0.25)});
      case 5:
        return writer_.Add(Op::kMul, {x, Norm(writer_.PickValue(width, selected))});
      case 6: {
        const int64_t kept = std::min(width, random_.OneIn(3) ? 1 : PickWidth());
        const int64_t begin = random_.Below(width - kept + 1);
        return Slice(x, begin, begin + kept);
      }
      default:
        return Sum(x, writer_.PickValue(width, selected));
    }
  }

  // The same node again, for canonicalise to find.
  void Repeat() {
    const NodeId id = writer_.PickAny(false);
    const ir::Node copy = module_.node(id);
    writer_.Add(copy.op, copy.operands, copy.attrs);
  }

  // A table with a row for every index that argmax can give.
  NodeId EmbedArgmax(NodeId x) {
    const NodeId ids = Unary(Op::kArgmax, x);
    const int64_t rows = writer_.width(x) + random_.Below(2);
    return Embed(ids, writer_.Table(rows, PickOf(palette_.hidden)));
  }

  NodeId Move(NodeId x) {
    // Mostly on from where the last one ended, at times from somewhere else.
    if (random_.OneIn(5)) x = writer_.PickAny(false);
    NodeId y = -1;
    switch (random_.Below(14)) {
      case 0:
        return Norm(x);
      case 1:
      case 2:
        y = Projection(MaybeNorm(x), PickWidth());
        break;
      case 3:
      case 4:
      case 5:
        y = Attention(MaybeNorm(x));
        if (!random_.OneIn(4)) y = Projection(y, random_.OneIn(2) ? writer_.width(x) : PickWidth());
        break;
      case 6:
      case 7:
      case 8:
        y = FeedForward(MaybeNorm(x));
        break;
      case 9:
      case 10:
        y = Elementwise(x);
        break;
      case 11:
        Repeat();
        return x;
      case 12:
        if (random_.OneIn(3)) return EmbedArgmax(x);
        y = EmbedPositions(writer_.width(x));
        break;
      default: {
        // Rotation outside of attention.
        const int64_t width = writer_.width(x);
        if (width < 2) return x;
        const int64_t heads = width % 3 == 0 && width >= 6 ? 3 : 1;
        y = Rope(x, heads, RopeTable(width / heads));
      }
    }
    if (random_.OneIn(4)) y = Norm(y);
    if (!random_.OneIn(3)) {
      if (writer_.width(y) != writer_.width(x)) x = writer_.PickValue(writer_.width(y), false);
      return Sum(x, y);
    }
    return y;
  }

  void Head(NodeId x) {
    if (random_.OneIn(2)) x = Norm(x);
    x = Unary(Op::kSelectRows, x);
    while (random_.OneIn(3)) {
      const int64_t kind = random_.Below(3);
      x = kind == 0 ? Elementwise(x) : kind == 1 ? Projection(x, PickWidth()) : FeedForward(x);
    }
    if (random_.OneIn(2)) x = Norm(x);
    const bool tied = writer_.width(x) == writer_.width(table_) && !random_.OneIn(3);
    const NodeId head = tied ? table_ : writer_.Matrix(vocab_, writer_.width(x));
    NodeId logits = writer_.Add(Op::kMatmul, {x, head});
    if (random_.OneIn(4)) logits = WithBias(logits);
    if (random_.OneIn(4)) logits = Unary(Op::kSoftcap, logits, {{Attr::kCap, palette_.cap}});
    if (random_.OneIn(6)) logits = Scale(logits);
    module_.outputs = {logits, Unary(Op::kArgmax, logits)};
  }

  const Palette& palette_;
  GraphWriter writer_;
  Random& random_;
  ir::Module& module_;
  NodeId tokens_ = -1;
  NodeId positions_ = -1;
  NodeId table_ = -1;
  int64_t vocab_ = 0;
  int64_t layers_ = 0;
};

// By id: whether an output needs the node.
std::vector<bool> Live(const ir::Module& module) {
  std::vector<bool> live(module.id_bound(), false);
  for (const NodeId id : module.outputs) live[id] = true;
  for (auto id = module.order().rbegin(); id != module.order().rend(); ++id) {
    if (!live[*id]) continue;
    for (const NodeId operand : module.node(*id).operands) live[operand] = true;
  }
  return live;
}

bool UsesInputs(const ir::Module& module) {
  const std::vector<bool> live = Live(module);
  return std::ranges::all_of(
      module.order(), [&](NodeId id) { return module.node(id).op != Op::kInput || live[id]; });
}

}  // namespace

ir::Module RandomGraph(const Palette& palette, uint64_t seed) {
  for (uint64_t attempt = 0;; ++attempt) {
    ir::Module module;
    module.name = "random";
    Generator(palette, seed + attempt * 0x100000001, &module).Write(/*with_positions=*/attempt > 0);
    WEFT_CHECK(ir::Verify(module).ok());
    if (UsesInputs(module)) return module;
  }
}

}  // namespace weft::graphs
