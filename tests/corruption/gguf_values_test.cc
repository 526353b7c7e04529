// GGUF's metadata as a model and a vocabulary are made of it: each value replaced by ones of every
// type and at the edges of what it may be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "absl/numeric/int128.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/model.h"
#include "frontends/model_test_util.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/gguf_parts.h"

namespace weft::corruption {
namespace {

constexpr uint32_t kHidden = 32, kHeads = 2, kHeadDim = 16, kFfn = 64, kLayers = 2;
constexpr int64_t kTokens = 12;

// Whether the value is one for its key, in the words of gguf.md and of the pages on what Weft
// takes.
using IsLegal = std::function<bool(const GgufEdge&)>;

// One for all layers, or one for each of them, where all are the same.
IsLegal Whole(int64_t least, int64_t most) {
  return [=](const GgufEdge& edge) {
    const auto fits = [=](absl::int128 value) { return value >= least && value <= most; };
    if (edge.wholes)
      return !edge.wholes->empty() && std::ranges::all_of(*edge.wholes, [&](absl::int128 value) {
        return value == edge.wholes->front() && fits(value);
      });
    return edge.whole && fits(*edge.whole);
  };
}
IsLegal DivisorOf(int64_t number) {
  return [=](const GgufEdge& edge) {
    if (!Whole(1, number)(edge)) return false;
    return number % static_cast<int64_t>(edge.whole ? *edge.whole : edge.wholes->front()) == 0;
  };
}
IsLegal EvenUpTo(int64_t most) {
  return [=](const GgufEdge& edge) {
    const std::optional<absl::int128> value =
        edge.wholes && !edge.wholes->empty() ? edge.wholes->front() : edge.whole;
    return Whole(2, most)(edge) && *value % 2 == 0;
  };
}
// "None" is -1, which some write as an unsigned number.
IsLegal Id(int64_t most) {
  return [=](const GgufEdge& edge) {
    return edge.whole && ((*edge.whole >= -1 && *edge.whole <= most) || *edge.whole == 0xffffffff);
  };
}
IsLegal Real(double least, double most) {
  return [=](const GgufEdge& edge) {
    return edge.real && *edge.real >= static_cast<float>(least) && *edge.real <= most;
  };
}
IsLegal Text(const std::vector<std::string>& words) {
  return [=](const GgufEdge& edge) {
    return edge.text && std::ranges::find(words, *edge.text) != words.end();
  };
}
bool IsText(const GgufEdge& edge) { return edge.text.has_value(); }
bool IsFlag(const GgufEdge& edge) { return edge.flag.has_value(); }
bool IsWhole32(const GgufEdge& edge) {
  return edge.whole && *edge.whole >= std::numeric_limits<int32_t>::min() &&
         *edge.whole <= std::numeric_limits<int32_t>::max();
}
bool IsAnything(const GgufEdge&) { return true; }
bool IsNothing(const GgufEdge&) { return false; }

struct Rule {
  IsLegal is_legal;
  bool is_needed = false;
  // What the message may name in place of the key: what the value does not go together with.
  std::vector<std::string> others = {};
};

TestTensor Zeros(const std::string& name, std::vector<int64_t> dims) {
  size_t values = 1;
  for (const int64_t dim : dims) values *= static_cast<size_t>(dim);
  return {name, std::move(dims), std::vector<float>(values, 0.5F)};
}

struct Model {
  std::string architecture;
  std::string bytes;
  std::map<std::string, Rule> rules;
};

void AddDims(const std::string& architecture, GgufWriter& writer) {
  const std::string prefix = architecture + ".";
  writer.Text("general.architecture", architecture)
      .Text("general.name", "small")
      .Number("general.file_type", 0)
      .Number(prefix + "block_count", kLayers)
      .Number(prefix + "context_length", 64)
      .Number(prefix + "embedding_length", kHidden)
      .Number(prefix + "feed_forward_length", kFfn)
      .Number(prefix + "attention.head_count", kHeads)
      .Number(prefix + "expert_count", 0);
}

std::map<std::string, Rule> DimRules(const std::string& architecture) {
  const std::string prefix = architecture + ".";
  return {{"general.architecture", {IsNothing, true}},  // no edge is the name of one
          {"general.name", {IsAnything}},
          {"general.file_type", {IsAnything}},
          // The tensors of more are missing, those of others left.
          {prefix + "block_count", {Whole(1, kLayers), true, {"tensor 'blk.2."}}},
          {prefix + "context_length", {Whole(1, 1 << 30), true}},
          {prefix + "embedding_length", {Whole(kHidden, kHidden), true}},
          {prefix + "feed_forward_length", {Whole(kFfn, kFfn), true}},
          {prefix + "attention.head_count", {Whole(kHeads, kHeads), true}},
          {prefix + "expert_count", {Whole(0, 0)}}};
}

// With heads, rotation and RMS norms, as Llama's.
void AddRotated(const std::string& architecture, GgufWriter& writer,
                std::map<std::string, Rule>& rules) {
  const std::string prefix = architecture + ".";
  AddDims(architecture, writer);
  writer.Number(prefix + "attention.head_count_kv", kHeads)
      .Number(prefix + "attention.key_length", kHeadDim)
      .Number(prefix + "attention.value_length", kHeadDim)
      .Number(prefix + "rope.dimension_count", kHeadDim)
      .Float(prefix + "attention.layer_norm_rms_epsilon", 1e-5F)
      .Float(prefix + "attention.scale", 0.25F)
      .Float(prefix + "attn_logit_softcapping", 50)
      .Float(prefix + "final_logit_softcapping", 30)
      .Float(prefix + "rope.freq_base", 10000)
      .Float(prefix + "rope.scale_linear", 1)
      .Text(prefix + "rope.scaling.type", "linear")
      .Float(prefix + "rope.scaling.factor", 4);
  writer.Tensor(Zeros("token_embd.weight", {kTokens, kHidden}))
      .Tensor(Zeros("output_norm.weight", {kHidden}));
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = absl::StrCat("blk.", layer, ".");
    for (const char* norm : {"attn_norm", "ffn_norm"})
      writer.Tensor(Zeros(absl::StrCat(block, norm, ".weight"), {kHidden}));
    for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_output"})
      writer.Tensor(Zeros(absl::StrCat(block, matrix, ".weight"), {kHidden, kHidden}));
    for (const char* matrix : {"ffn_gate", "ffn_up"})
      writer.Tensor(Zeros(absl::StrCat(block, matrix, ".weight"), {kFfn, kHidden}));
    writer.Tensor(Zeros(block + "ffn_down.weight", {kHidden, kFfn}));
  }
  rules.merge(DimRules(architecture));
  rules.merge(
      std::map<std::string, Rule>{{prefix + "attention.head_count_kv", {Whole(kHeads, kHeads)}},
                                  {prefix + "attention.key_length", {Whole(kHeadDim, kHeadDim)}},
                                  {prefix + "attention.value_length", {Whole(kHeadDim, kHeadDim)}},
                                  {prefix + "rope.dimension_count", {EvenUpTo(kHeadDim)}},
                                  {prefix + "attention.layer_norm_rms_epsilon", {Real(0, 1), true}},
                                  {prefix + "attention.scale", {Real(0, 1e6)}},
                                  {prefix + "attn_logit_softcapping", {Real(0, 1e6)}},
                                  {prefix + "final_logit_softcapping", {Real(0, 1e6)}},
                                  {prefix + "rope.freq_base", {Real(1, 1e12)}},
                                  {prefix + "rope.scale_linear", {Real(1, 1)}},
                                  {prefix + "rope.scaling.type", {Text({"none", "linear"})}},
                                  {prefix + "rope.scaling.factor", {Real(1e-3, 1e6)}}});
}

// What both kinds of vocabularies have, and what is said to whoever samples.
void AddTexts(GgufWriter& writer, std::map<std::string, Rule>& rules) {
  for (const char* key : {"bos", "eos", "unknown", "padding"}) {
    writer.Number(absl::StrCat("tokenizer.ggml.", key, "_token_id"), 1);
    rules[absl::StrCat("tokenizer.ggml.", key, "_token_id")] = {Id(kTokens - 1)};
  }
  for (const char* key : {"eot", "eom"}) {
    writer.Number(absl::StrCat("tokenizer.ggml.", key, "_token_id"), 2);
    rules[absl::StrCat("tokenizer.ggml.", key, "_token_id")] = {
        Id(std::numeric_limits<int32_t>::max())};
  }
  for (const char* key : {"add_bos_token", "add_eos_token", "add_space_prefix"}) {
    writer.Flag(absl::StrCat("tokenizer.ggml.", key), true);
    rules[absl::StrCat("tokenizer.ggml.", key)] = {IsFlag};
  }
  writer.Text("tokenizer.chat_template", "{{ messages }}");
  rules["tokenizer.chat_template"] = {IsText};
  for (const auto& [key, most] :
       {std::pair("temp", 1e6), {"top_p", 1}, {"min_p", 1}, {"penalty_repeat", 1e6}}) {
    writer.Float(absl::StrCat("general.sampling.", key), 0.5F);
    rules[absl::StrCat("general.sampling.", key)] = {Real(0, most)};
  }
  writer.Number("general.sampling.top_k", 40);
  rules["general.sampling.top_k"] = {IsWhole32};
}

// Of pieces with scores.
void AddPieces(GgufWriter& writer, std::map<std::string, Rule>& rules) {
  AddTexts(writer, rules);
  writer.Text("tokenizer.ggml.model", "llama")
      .Text("tokenizer.ggml.pre", "default")
      .Texts("tokenizer.ggml.tokens",
             {"<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "ab", "▁a", "▁b", "c", "d"})
      .Floats("tokenizer.ggml.scores", {0, 0, 0, 0, -1, -2, -3, -4, -5, -6, -7, -8})
      .Numbers("tokenizer.ggml.token_type", {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 4, 5});
  rules["tokenizer.ggml.model"] = {IsNothing, true};
  rules["tokenizer.ggml.pre"] = {IsText};  // not of these
  rules["tokenizer.ggml.tokens"] = {IsNothing, true, {"tokenizer.ggml.token_type"}};
  rules["tokenizer.ggml.scores"] = {IsNothing, true, {"the score of token 0"}};
  rules["tokenizer.ggml.token_type"] = {
      [](const GgufEdge& edge) { return edge.wholes && edge.wholes->empty(); }};
}

// Of bytes and merges.
void AddMerges(GgufWriter& writer, std::map<std::string, Rule>& rules) {
  AddTexts(writer, rules);
  writer.Text("tokenizer.ggml.model", "gpt2")
      .Text("tokenizer.ggml.pre", "gpt-2")
      .Texts("tokenizer.ggml.tokens",
             {"<s>", "</s>", "a", "b", "c", "d", "ab", "abc", "Ġ", "Ġa", "e", "f"})
      .Texts("tokenizer.ggml.merges", {"a b", "ab c", "Ġ a"})
      .Numbers("tokenizer.ggml.token_type", {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  rules["tokenizer.ggml.model"] = {IsNothing, true};
  rules["tokenizer.ggml.pre"] = {Text({""})};
  rules["tokenizer.ggml.tokens"] = {IsNothing, true, {"tokenizer.ggml.token_type"}};
  rules["tokenizer.ggml.merges"] = {IsNothing, true};
  rules["tokenizer.ggml.token_type"] = {
      [](const GgufEdge& edge) { return edge.wholes && edge.wholes->empty(); }};
}

Model Llama() {
  Model model = {.architecture = "llama"};
  GgufWriter writer;
  AddRotated("llama", writer, model.rules);
  AddPieces(writer, model.rules);
  model.bytes = writer.Bytes();
  return model;
}

// With windows and two speeds of rotation.
Model Gemma3() {
  Model model = {.architecture = "gemma3"};
  GgufWriter writer;
  AddRotated("gemma3", writer, model.rules);
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = absl::StrCat("blk.", layer, ".");
    for (const char* norm : {"post_attention_norm", "post_ffw_norm"})
      writer.Tensor(Zeros(absl::StrCat(block, norm, ".weight"), {kHidden}));
    for (const char* norm : {"attn_q_norm", "attn_k_norm"})
      writer.Tensor(Zeros(absl::StrCat(block, norm, ".weight"), {kHeadDim}));
  }
  writer.Number("gemma3.attention.sliding_window", 16)
      .Flags("gemma3.attention.sliding_window_pattern", {true, false})
      .Float("gemma3.rope.freq_base_swa", 10000);
  const std::string pattern = "gemma3.attention.sliding_window_pattern";
  model.rules["gemma3.block_count"] = {Whole(kLayers, kLayers), true, {pattern}};
  model.rules["gemma3.attention.sliding_window"] = {Whole(0, 1 << 30)};
  // A list of flags, one for each layer; no edge is as long. Or every how many layers one sees all.
  model.rules[pattern] = {[](const GgufEdge& edge) { return edge.whole && Whole(0, 1000)(edge); }};
  model.rules["gemma3.rope.freq_base_swa"] = {Real(1, 1e12)};
  AddMerges(writer, model.rules);
  model.bytes = writer.Bytes();
  return model;
}

// With learned positions, biases and norms that subtract the mean.
Model Gpt2() {
  Model model = {.architecture = "gpt2"};
  GgufWriter writer;
  AddDims("gpt2", writer);
  writer.Float("gpt2.attention.layer_norm_epsilon", 1e-5F);
  model.rules = DimRules("gpt2");
  // Whose columns are of how many heads no tensor says.
  model.rules["gpt2.attention.head_count"] = {DivisorOf(kHidden), true};
  model.rules["gpt2.context_length"] = {Whole(64, 64), true};  // the table has so many rows
  model.rules["gpt2.attention.layer_norm_epsilon"] = {Real(0, 1), true};
  writer.Tensor(Zeros("token_embd.weight", {kTokens, kHidden}))
      .Tensor(Zeros("position_embd.weight", {64, kHidden}));
  const auto add = [&](const std::string& name, std::vector<int64_t> dims) {
    writer.Tensor(Zeros(name + ".bias", {dims.front()}));
    writer.Tensor(Zeros(name + ".weight", std::move(dims)));
  };
  add("output_norm", {kHidden});
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string block = absl::StrCat("blk.", layer, ".");
    add(block + "attn_norm", {kHidden});
    add(block + "ffn_norm", {kHidden});
    add(block + "attn_qkv", {3 * kHidden, kHidden});
    add(block + "attn_output", {kHidden, kHidden});
    add(block + "ffn_up", {kFfn, kHidden});
    add(block + "ffn_down", {kHidden, kFfn});
  }
  AddMerges(writer, model.rules);
  model.bytes = writer.Bytes();
  return model;
}

// Loads the model, and takes a tokenizer that is wrong for a model that is.
absl::Status Outcome(const TempFolder& folder, const std::string& bytes) {
  folder.Write("m.gguf", bytes);
  const auto model = LoadModel(folder.File("m.gguf"));
  return model.ok() ? model->tokenizer.status() : model.status();
}

TEST(GgufValues, OfEveryKey) {
  const TempFolder folder;
  Tally tally("gguf, values of keys", folder.File("m.gguf"));
  for (const Model& model : {Llama(), Gemma3(), Gpt2()}) {
    const GgufParts parts = SplitGguf(model.bytes);
    ASSERT_EQ(JoinGguf(parts), model.bytes);
    tally.Check(model.architecture, 0, Outcome(folder, model.bytes), {.verdict = Verdict::kValid});
    ASSERT_EQ(parts.keys.size(), model.rules.size());
    for (size_t i = 0; i < parts.keys.size(); ++i) {
      const std::string& key = parts.keys[i].name;
      ASSERT_TRUE(model.rules.contains(key)) << key;
      const Rule& rule = model.rules.at(key);
      const auto check = [&](const std::string& what, const GgufParts& damaged, bool is_legal) {
        const absl::Status outcome = Outcome(folder, JoinGguf(damaged));
        const auto other = std::ranges::find_if(rule.others, [&](const std::string& word) {
          return absl::StrContains(outcome.message(), word);
        });
        tally.Check(absl::StrCat(key, what), 0, outcome,
                    {.verdict = is_legal ? Verdict::kValid : Verdict::kRefused,
                     .words = {other == rule.others.end() ? key : *other},
                     .offset = false});
      };
      for (const GgufEdge& edge : GgufEdges()) {
        GgufParts damaged = parts;
        damaged.keys[i].value = edge.bytes;
        check(absl::StrCat(" = ", edge.name), damaged, rule.is_legal(edge));
      }
      GgufParts without = parts;
      without.keys.erase(without.keys.begin() + static_cast<std::ptrdiff_t>(i));
      check(" missing", without, !rule.is_needed);
    }
  }
}

}  // namespace
}  // namespace weft::corruption
