#include "passes/test_models.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "absl/strings/str_cat.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "runtime/abi/check.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::NodeId;
using ir::Op;
using ir::Symbol;

// Writes one model; the members are what the families choose differently.
class ModelWriter {
 public:
  ModelWriter(Family family, uint32_t seed, int64_t layers)
      : family_(family), random_(seed), builder_(&module_) {
    module_.name = "random";
    head_dim_ = Pick({4, 8, 16});
    kv_heads_ = Pick({1, 2, 3});
    heads_ = kv_heads_ * (family == Family::kGpt2 ? 1 : Pick({1, 2}));
    hidden_ = family == Family::kGpt2 ? heads_ * head_dim_ : Pick({12, 16, 33, 64});
    ffn_ = Pick({16, 24, 64, 70});
    vocab_ = Pick({17, 32, 50});
    layers_ = layers > 0 ? layers : Pick({1, 2, 3});
  }

  std::string Write() {
    tokens_ = builder_.Add(Op::kInput, {}, {{Attr::kName, std::string("tokens")}}, "tokens");
    positions_ =
        builder_.Add(Op::kInput, {}, {{Attr::kName, std::string("positions")}}, "positions");
    table_ = builder_.Add(
        Op::kRopeTable, {},
        {{Attr::kContext, int64_t{32}}, {Attr::kInvFreq, std::vector<double>{1.0, 0.25}}}, "rope");
    const NodeId embedding = Weight("embed", {vocab_, hidden_});
    NodeId x = builder_.Add(Op::kEmbed, {tokens_, embedding}, {}, "embed");
    if (family_ == Family::kGpt2) {
      const NodeId wpe = Weight("wpe", {40, hidden_});
      x = Binary(Op::kAdd, x, builder_.Add(Op::kEmbed, {positions_, wpe}, {}, "wpe"), "embeddings");
    }
    if (family_ == Family::kGemma)
      x = builder_.Add(Op::kScale, {x}, {{Attr::kValue, 3.5}}, "scale");
    for (int64_t i = 0; i < layers_; ++i) x = Layer(i, x);
    x = builder_.Add(Op::kSelectRows, {Norm(x, "norm", hidden_)}, {}, "last");
    // Half of the models are tied; half of these have two weights for one tensor.
    NodeId head = embedding;
    const int64_t tie = Pick({0, 1, 2, 3});
    if (tie == 1) head = Weight("embed", {vocab_, hidden_});
    if (tie > 1) head = Weight("lm_head", {vocab_, hidden_});
    NodeId logits = builder_.Add(Op::kMatmul, {x, head}, {}, "lm_head");
    if (family_ == Family::kGemma)
      logits = builder_.Add(Op::kSoftcap, {logits}, {{Attr::kCap, 30.0}}, "softcap");
    module_.outputs = {logits, builder_.Add(Op::kArgmax, {logits}, {}, "argmax")};
    WEFT_CHECK(builder_.status().ok());
    return ir::Print(module_);
  }

 private:
  int64_t Pick(std::initializer_list<int64_t> choices) {
    return choices.begin()[random_() % choices.size()];
  }

  NodeId Weight(const std::string& name, std::vector<int64_t> dims, ir::Attrs attrs = {}) {
    const std::string tensor = absl::StrCat(name, ".weight");
    if (module_.FindTensor(tensor) == nullptr)
      module_.AddTensor({.name = tensor, .dims = std::move(dims)});
    attrs.emplace_back(Attr::kTensor, tensor);
    return builder_.Add(Op::kWeight, {}, std::move(attrs), name);
  }

  NodeId Binary(Op op, NodeId a, NodeId b, const std::string& location) {
    return builder_.Add(op, {a, b}, {}, location);
  }

  // As files hold Linear layers, or Conv1D ones for GPT-2.
  NodeId Linear(NodeId x, const std::string& name, int64_t out, bool bias) {
    const int64_t in = builder_.type(x).last().value();
    const NodeId w = family_ == Family::kGpt2 ? Weight(name, {in, out}, {{Attr::kTransposed, true}})
                                              : Weight(name, {out, in});
    const NodeId y = builder_.Add(Op::kMatmul, {x, w}, {}, name);
    return bias ? Binary(Op::kAdd, y, Weight(name + ".bias", {out}), name) : y;
  }

  NodeId Norm(NodeId x, const std::string& name, int64_t width) {
    const NodeId w = Weight(name, {width});
    if (family_ == Family::kGpt2)
      return builder_.Add(Op::kLayerNorm, {x, w, Weight(name + ".bias", {width})},
                          {{Attr::kEps, 1e-5}}, name);
    ir::Attrs attrs = {{Attr::kEps, 1e-6}};
    if (family_ == Family::kGemma) attrs.emplace_back(Attr::kOffset, 1.0);
    if (width != builder_.type(x).last().value()) attrs.emplace_back(Attr::kGroup, width);
    return builder_.Add(Op::kRmsNorm, {x, w}, std::move(attrs), name);
  }

  NodeId Slice(NodeId x, int64_t begin, int64_t end, const std::string& name) {
    return builder_.Add(Op::kSlice, {x}, {{Attr::kBegin, begin}, {Attr::kEnd, end}}, name);
  }

  NodeId Heads(NodeId x, const std::string& name, int64_t heads) {
    if (family_ == Family::kGpt2) return x;
    if (family_ == Family::kGemma) x = Norm(x, name + "_norm", head_dim_);
    return builder_.Add(Op::kRope, {x, positions_, table_}, {{Attr::kHeads, heads}}, name);
  }

  NodeId Attention(int64_t layer, NodeId x, const std::string& name) {
    const int64_t q_width = heads_ * head_dim_;
    const int64_t kv_width = kv_heads_ * head_dim_;
    const bool bias = family_ == Family::kGpt2 || Pick({0, 1}) == 1;
    NodeId q;
    NodeId k;
    NodeId v;
    if (family_ == Family::kPhi3) {
      const NodeId qkv = Linear(x, name + ".qkv_proj", q_width + 2 * kv_width, bias);
      q = Slice(qkv, 0, q_width, name + ".q");
      k = Slice(qkv, q_width, q_width + kv_width, name + ".k");
      v = Slice(qkv, q_width + kv_width, q_width + 2 * kv_width, name + ".v");
    } else {
      q = Linear(x, name + ".q_proj", q_width, bias);
      k = Linear(x, name + ".k_proj", kv_width, bias);
      v = Linear(x, name + ".v_proj", kv_width, bias && Pick({0, 1}) == 1);
    }
    q = Heads(q, name + ".q", heads_);
    k = Heads(k, name + ".k", kv_heads_);
    const NodeId cache = builder_.Add(
        Op::kKvAppend, {k, v}, {{Attr::kLayer, layer}, {Attr::kHeads, kv_heads_}}, name + ".cache");
    ir::Attrs attrs = {{Attr::kHeads, heads_}, {Attr::kScale, 0.3}};
    if (family_ == Family::kGemma) attrs.emplace_back(Attr::kSoftcap, 50.0);
    if (Pick({0, 1}) == 1) attrs.emplace_back(Attr::kWindow, int64_t{3});
    const NodeId mixed = builder_.Add(Op::kAttention, {q, cache}, std::move(attrs), name);
    return Linear(mixed, name + ".o_proj", hidden_, bias);
  }

  NodeId FeedForward(NodeId x, const std::string& name) {
    NodeId y;
    if (family_ == Family::kGpt2) {
      const NodeId up = Linear(x, name + ".c_fc", ffn_, true);
      y = builder_.Add(Op::kActivate, {up}, {{Attr::kFn, std::string("gelu_tanh")}}, name);
    } else {
      NodeId gate;
      NodeId up;
      if (family_ == Family::kPhi3) {
        const NodeId both = Linear(x, name + ".gate_up_proj", 2 * ffn_, false);
        gate = Slice(both, 0, ffn_, name + ".gate");
        up = Slice(both, ffn_, 2 * ffn_, name + ".up");
      } else {
        gate = Linear(x, name + ".gate_proj", ffn_, false);
        up = Linear(x, name + ".up_proj", ffn_, false);
      }
      const NodeId active =
          builder_.Add(Op::kActivate, {gate}, {{Attr::kFn, std::string("silu")}}, name + ".act");
      y = Pick({0, 1}) == 1 ? Binary(Op::kMul, active, up, name)
                            : Binary(Op::kMul, up, active, name);
    }
    return Linear(y, name + ".down_proj", hidden_, family_ == Family::kGpt2);
  }

  NodeId Layer(int64_t layer, NodeId x) {
    const std::string name = absl::StrCat("layers.", layer);
    NodeId y = Attention(layer, Norm(x, name + ".norm1", hidden_), name + ".attn");
    if (family_ == Family::kGemma) y = Norm(y, name + ".norm2", hidden_);
    x = Binary(Op::kAdd, x, y, name + ".residual1");
    y = FeedForward(Norm(x, name + ".norm3", hidden_), name + ".mlp");
    if (family_ == Family::kGemma) y = Norm(y, name + ".norm4", hidden_);
    return Binary(Op::kAdd, y, x, name + ".residual2");
  }

  Family family_;
  std::mt19937 random_;
  ir::Module module_;
  ir::Builder builder_;
  int64_t head_dim_, heads_, kv_heads_, hidden_, ffn_, vocab_, layers_;
  NodeId tokens_ = -1;
  NodeId positions_ = -1;
  NodeId table_ = -1;
};

}  // namespace

std::string RandomModel(Family family, uint32_t seed, int64_t layers) {
  return ModelWriter(family, seed, layers).Write();
}

absl::Status SyntheticWeights::Read(const ir::SourceTensor& tensor, int64_t begin,
                                    absl::Span<float> out) const {
  uint32_t hash = 2166136261;  // FNV-1a
  for (char c : tensor.name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  const float size = tensor.dims.size() == 2 ? 0.3F : 1.0F;
  for (size_t i = 0; i < out.size(); ++i) {
    uint32_t bits = hash + static_cast<uint32_t>(begin + static_cast<int64_t>(i)) * 2654435761U;
    bits = (bits ^ (bits >> 15)) * 2246822519U;
    bits ^= bits >> 13;
    out[i] = size * (static_cast<float>(bits >> 8) / 8388608.0F - 1.0F);
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<const uint8_t>> SyntheticWeights::Raw(
    const ir::SourceTensor& tensor) const {
  return absl::UnimplementedError(absl::StrCat("'", tensor.name, "' is in no file"));
}

ir::Module ParseOrDie(absl::string_view text) {
  auto module = ir::Parse(text);
  EXPECT_TRUE(module.ok()) << module.status() << "\n" << text;
  WEFT_CHECK(module.ok());
  return *std::move(module);
}

ir::Module Lower(absl::string_view text, PipelineOptions options) {
  ir::Module module = ParseOrDie(text);
  options.check_unchanged = true;
  const auto stats = RunPipeline(DefaultPipeline(), options, &module);
  EXPECT_TRUE(stats.ok()) << stats.status() << "\n" << text;
  return module;
}

std::vector<ir::Value> Outputs(const ir::Module& module) {
  const std::vector<int32_t> tokens = {3, 1, 4, 1, 5, 9};
  auto outputs = ir::Evaluate(module, SyntheticWeights(), tokens, {.logit_rows = 2});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  WEFT_CHECK(outputs.ok());
  return *std::move(outputs);
}

void ExpectSameNumbers(absl::string_view name, bool with_prefix, WeightsMode weights) {
  PipelineOptions options;
  options.pass.weights = weights;
  const Pass* pass = FindPass(name);
  ASSERT_NE(pass, nullptr);
  bool changed = false;
  for (Family family : kFamilies) {
    for (uint32_t seed = 0; seed < 12; ++seed) {
      const std::string text = RandomModel(family, seed);
      ir::Module module = ParseOrDie(text);
      if (with_prefix) {
        const size_t index = static_cast<size_t>(pass - DefaultPipeline().data());
        options.stop_after = StageNames()[index];  // of the pass before
        module = Lower(text, options);
        options.stop_after.clear();
      }
      const auto before = Outputs(module);
      options.check_unchanged = true;
      const auto stats = RunPipeline({pass, 1}, options, &module);
      ASSERT_TRUE(stats.ok()) << stats.status();
      changed = changed || stats->front().changed;
      const auto after = Outputs(module);
      ASSERT_EQ(before.size(), after.size());
      for (size_t i = 0; i < before.size(); ++i) {
        EXPECT_EQ(before[i].dims, after[i].dims);
        EXPECT_EQ(before[i].floats, after[i].floats) << text;
        EXPECT_EQ(before[i].ints, after[i].ints);
      }
    }
  }
  EXPECT_TRUE(changed);
}

}  // namespace weft::passes
