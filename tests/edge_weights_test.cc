// What happens where weights or activations are at the edges of what numbers can be, end to end on
// tiny models that a test changes: compiled for every target and by the reference evaluator, the
// same numbers, and NaN in the same places (docs/numerics.md, "Broken numbers").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/safetensors.h"
#include "ir/evaluator.h"
#include "runtime/base/mapped_file.h"
#include "runtime/sampling/sampler.h"
#include "tests/harness.h"

namespace weft {
namespace {

using passes::KvMode;
using passes::WeightsMode;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

bool IsEmbedding(const std::string& tensor) {
  return absl::StrContains(tensor, "embed_tokens") || absl::StrContains(tensor, "wte");
}

using Change =
    std::function<void(const std::string&, absl::Span<const int64_t>, absl::Span<float>)>;

// Equal bits, where a NaN is equal to every NaN.
bool SameNumbers(absl::Span<const float> a, absl::Span<const float> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) return false;
  }
  return true;
}

int Nans(absl::Span<const float> values) {
  return static_cast<int>(std::ranges::count_if(values, [](float x) { return std::isnan(x); }));
}

class EdgeWeightsTest : public testing::TestWithParam<std::string> {
 protected:
  struct Case {
    WeightsMode weights = WeightsMode::kF32;
    KvMode kv = KvMode::kF32;
    std::vector<passes::FormatOverride> formats;
  };

  inline static const Case kQ8 = {WeightsMode::kQ8_0, KvMode::kF16, {}};

  std::string Changed(const Change& change) {
    auto path = ChangedModel(GetParam(), change);
    EXPECT_TRUE(path.ok()) << path.status();
    return path.value_or("");
  }

  static tools::CompileSettings SettingsOf(const Case& what, const std::string& target) {
    tools::CompileSettings settings = TestSettings(target, what.weights);
    settings.pipeline.pass.kv = what.kv;
    settings.pipeline.pass.formats = what.formats;
    return settings;
  }

  // The changed model at `path` under code that is compiled once for all models of the family.
  absl::StatusOr<std::unique_ptr<Harness>> Make(const std::string& path, const Case& what,
                                                const std::string& target) {
    static auto* const compiled = new std::map<std::string, std::unique_ptr<Harness>>();
    std::string key = absl::StrCat(GetParam(), " ", target, Name(what.weights), Name(what.kv));
    for (const passes::FormatOverride& entry : what.formats) absl::StrAppend(&key, entry.pattern);
    std::unique_ptr<Harness>& harness = (*compiled)[key];
    if (harness == nullptr) {
      auto created = Harness::Create(TinyPath(GetParam()), SettingsOf(what, target));
      if (!created.ok()) return created.status();
      harness = *std::move(created);
    }
    return harness->WithWeightsOf(path);
  }

  // The logits of the golden prompt, the same for every target, threads and chunks. Those of a
  // clean prompt that follows on the same executor must be those of a fresh one.
  std::vector<float> Logits(const std::string& path, const Case& what,
                            absl::Span<const int32_t> clean = {}) {
    std::vector<float> first;
    std::vector<float> fresh;
    // What is emulated is how bytes are multiplied.
    const bool bytes = what.weights == WeightsMode::kQ8_0;
    for (const std::string& target : bytes ? TestTargets() : ExecutableTargets()) {
      auto harness = Make(path, what, target);
      EXPECT_TRUE(harness.ok()) << harness.status();
      if (!harness.ok()) return {};
      for (const auto& [threads, chunk] : {std::pair(1, 64), {3, 5}, {2, 1}}) {
        SCOPED_TRACE(testing::Message() << target << ", " << threads << ", " << chunk);
        auto executor = (*harness)->MakeExecutor(threads);
        EXPECT_TRUE(executor.ok()) << executor.status();
        if (fresh.empty() && !clean.empty()) {
          fresh = *Harness::Logits(executor->get(), clean, chunk);
          EXPECT_LE(Nans(fresh), static_cast<int>(clean.size())) << "beyond a tied lm_head's row";
          executor = (*harness)->MakeExecutor(threads);
        }
        const auto logits = Harness::Logits(executor->get(), golden_.input_ids, chunk);
        EXPECT_TRUE(logits.ok()) << logits.status();
        if (first.empty()) first = *logits;
        EXPECT_TRUE(SameNumbers(first, *logits));
        if (clean.empty()) continue;
        // Nothing of a broken run stays behind.
        EXPECT_TRUE(SameNumbers(fresh, *Harness::Logits(executor->get(), clean, chunk)));
      }
    }
    return first;
  }

  std::vector<float> Evaluated(const std::string& path, const Case& what) {
    auto harness = Make(path, what, "x86-64-v3");
    EXPECT_TRUE(harness.ok()) << harness.status();
    if (!harness.ok()) return {};
    auto values = ir::Evaluate((*harness)->compiled().module, *(*harness)->model().weights,
                               golden_.input_ids);
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? std::move((*values)[0].floats) : std::vector<float>();
  }

  // Numbers that are close (sums in another order and precision), NaN and infinities in the same
  // places.
  void ExpectAlike(const std::vector<float>& compiled, const std::vector<float>& evaluated,
                   double tolerance) const {
    ASSERT_EQ(compiled.size(), evaluated.size());
    ASSERT_FALSE(compiled.empty());
    for (size_t i = 0; i < compiled.size(); ++i) {
      if (std::isfinite(evaluated[i])) {
        ASSERT_NEAR(compiled[i], evaluated[i],
                    tolerance * std::max(1.0, std::fabs(static_cast<double>(evaluated[i]))))
            << "row " << i / kVocab << ", id " << i % kVocab;
      } else if (std::isnan(evaluated[i])) {
        ASSERT_TRUE(std::isnan(compiled[i])) << compiled[i] << " in row " << i / kVocab;
      } else {
        ASSERT_EQ(compiled[i], evaluated[i]) << "row " << i / kVocab;
      }
    }
  }

  // Compiled for every target and evaluated, alike; the logits. 3e-5: an F32 sum of the some
  // hundred products of these models' rows, each 2^-24 off, some layers deep.
  std::vector<float> Check(const Change& change, const Case& what) {
    const std::string path = Changed(change);
    std::vector<float> logits = Logits(path, what);
    ExpectAlike(logits, Evaluated(path, what), 3e-5);
    return logits;
  }
  // The same of quantised weights that leave all logits finite.
  std::vector<float> CheckQuantised(const Change& change) {
    const std::string path = Changed(change);
    const Case what = {WeightsMode::kQ8_0, KvMode::kF32, {}};
    std::vector<float> logits = Logits(path, what);
    const QuantisedDifference difference =
        CompareQuantised(logits, Evaluated(path, what), golden_.input_ids.size());
    EXPECT_LT(difference.worst_row, 3.0 / 127);
    EXPECT_GE(difference.exact_rows, 7U);
    return logits;
  }

  // As transformers computes them in float32 after the same change (tests/oracle/edges), where that
  // leaves it a number: of every 32nd id, as close as a row's largest logit allows.
  void ExpectAsTransformers(const std::string& change, const std::vector<float>& logits) const {
    const std::string path = absl::StrCat("tests/oracle/edges/", GetParam(), ".safetensors");
    const auto file = MappedFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto tensors = ParseSafetensorsHeader((*file)->bytes(), path, 0);
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    const auto tensor = std::ranges::find(*tensors, change, &TensorEntry::name);
    ASSERT_NE(tensor, tensors->end()) << change;
    std::vector<float> golden(tensor->bytes / sizeof(float));
    std::memcpy(golden.data(), (*file)->bytes().data() + tensor->offset, tensor->bytes);
    constexpr size_t kEvery = 32;
    // Subnormal logits are multiples of 2^-149, to which each product of a sum is rounded: 96 at
    // most; gemma2's soft cap divides by 30 and multiplies by it again.
    constexpr double kSubnormal = 128.0 * std::numeric_limits<float>::denorm_min();
    const size_t rows = golden_.input_ids.size();
    const size_t columns = kVocab / kEvery;
    ASSERT_EQ(golden.size(), rows * columns);
    ASSERT_EQ(logits.size(), rows * kVocab);
    for (size_t row = 0; row < rows; ++row) {
      const auto expected = absl::MakeConstSpan(golden).subspan(row * columns, columns);
      float largest = 0;
      for (const float value : expected) largest = std::max(largest, std::fabs(value));
      for (size_t i = 0; i < columns; ++i) {
        if (!std::isfinite(expected[i])) continue;
        ASSERT_NEAR(logits[row * kVocab + i * kEvery], expected[i], 3e-5 * largest + kSubnormal)
            << change << ", row " << row;
      }
    }
  }

  static constexpr size_t kVocab = 512;
  const Golden golden_ = *ReadGolden(TinyPath(GetParam()));
};

// Positions before the token do not see it. Those behind are NaN as long as attention carries it
// on, which the evaluator knows; a later prompt on the same executor sees nothing of it.
TEST_P(EdgeWeightsTest, ATokenOfNanReachesNoEarlierPositionAndNoLaterPrompt) {
  const int32_t token = golden_.input_ids[20];
  const auto first = std::ranges::find(golden_.input_ids, token) - golden_.input_ids.begin();
  std::vector<int32_t> clean;
  for (const int32_t id : golden_.input_ids) clean.push_back(id == token ? 2 + token % 7 : id);
  std::ranges::replace(clean, token, token + 1);
  // Only the row of the input: a tied lm_head has the token's own logit NaN at every position.
  const std::string path =
      Changed([&](const std::string& tensor, absl::Span<const int64_t> dims, absl::Span<float> x) {
        if (IsEmbedding(tensor)) x[token * dims[1] + 3] = kNan;
      });
  const auto tied = [&](size_t i) { return i % kVocab == static_cast<size_t>(token); };
  for (const Case& what : {Case{}, Case{.kv = KvMode::kF16}, Case{.kv = KvMode::kQ8_0},
                           Case{WeightsMode::kQ8_0,
                                KvMode::kF16,
                                {{"*embed_tokens*", DataType::kF32}, {"*wte*", DataType::kF32}}}}) {
    SCOPED_TRACE(absl::StrCat(Name(what.weights), ", ", Name(what.kv)));
    Case usable = what;
    std::erase_if(usable.formats, [&](const passes::FormatOverride& entry) {
      return absl::StrContains(entry.pattern, "wte") != GetParam().starts_with("gpt2");
    });
    const std::vector<float> logits = Logits(path, usable, clean);
    auto unchanged = Make(TinyPath(GetParam()), usable, "x86-64-v3");
    ASSERT_TRUE(unchanged.ok()) << unchanged.status();
    const std::vector<float> whole =
        *Harness::Logits((*unchanged)->MakeExecutor(2)->get(), golden_.input_ids, 64);
    ASSERT_EQ(logits.size(), whole.size());
    for (size_t i = 0; i < static_cast<size_t>(first) * kVocab; ++i) {
      if (tied(i) && std::isnan(logits[i])) continue;
      ASSERT_EQ(std::bit_cast<uint32_t>(logits[i]), std::bit_cast<uint32_t>(whole[i]))
          << "row " << i / kVocab;
    }
    const auto broken = absl::MakeConstSpan(logits).subspan(first * kVocab, kVocab);
    EXPECT_EQ(Nans(broken), kVocab);
    for (const float temperature : {0.0F, 0.8F}) {
      const auto chosen = Sampler::Create({.temperature = temperature})->Sample(broken);
      EXPECT_EQ(chosen.status().code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(chosen.status().message()), HasSubstr("token 0 is NaN"));
    }
    const std::vector<float> evaluated = Evaluated(path, usable);
    for (size_t i = 0; i < logits.size(); ++i)
      ASSERT_EQ(std::isnan(logits[i]), std::isnan(evaluated[i])) << "row " << i / kVocab;
  }
}

bool IsNormOfLayer1(const std::string& tensor) {
  return absl::StrContains(tensor, "h.1.ln_1.weight") ||
         absl::StrContains(tensor, "layers.1.input_layernorm.weight");
}

// A matrix that stands in the middle of the model, whose name ends so in every family.
bool IsDownProjection(const std::string& tensor) {
  return absl::StrContains(tensor, "1.mlp.c_proj.weight") ||
         absl::StrContains(tensor, "1.mlp.down_proj.weight");
}

TEST_P(EdgeWeightsTest, InF32WhatIsNoNumberSpreadsAsInTheEvaluator) {
  for (const float value : {kNan, kInfinity, -kInfinity}) {
    for (const auto& is_changed : {IsNormOfLayer1, IsDownProjection}) {
      const auto change = [&](const std::string& tensor, absl::Span<const int64_t>,
                              absl::Span<float> x) {
        if (is_changed(tensor)) x[5] = value;
      };
      EXPECT_GT(Nans(Check(change, Case{})), 0) << value;
    }
    // Activations that are no numbers, before q8_0 matmuls: none of them turns it into numbers.
    const auto change = [&](const std::string& tensor, absl::Span<const int64_t>,
                            absl::Span<float> x) {
      if (IsNormOfLayer1(tensor)) x[5] = value;
    };
    const std::vector<float> logits = Check(change, kQ8);
    EXPECT_EQ(Nans(logits), static_cast<int>(logits.size())) << value;
  }
}

TEST_P(EdgeWeightsTest, WhatQ8_0CannotHoldIsRefusedAndF32TakesIt) {
  for (const auto& [value, what] : {std::pair(kNan, "is NaN"),
                                    {kInfinity, "is infinite"},
                                    {-kLargest, "is -3.40282e+38, too large"},
                                    {1e9F, "is 1e+09, too large"}}) {
    std::string name;
    const std::string path = Changed(
        [&](const std::string& tensor, absl::Span<const int64_t> dims, absl::Span<float> x) {
          if (!IsDownProjection(tensor)) return;
          name = tensor;
          x[3 * dims[1] + 7] = value;
        });
    Case q8 = kQ8;
    const absl::Status refused = Make(path, q8, "x86-64-v3").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
    const std::string override_text = absl::StrCat(name, "=f32");
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(absl::StrCat("tensor '", name, "': the value at [3, 7] ", what)));
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(absl::StrCat("--weight-format '", override_text, "'")));
    q8.formats = {*passes::ParseFormatOverride(override_text)};
    EXPECT_TRUE(Make(path, q8, "x86-64-v3").ok());
  }
}

// Rows of zeros reach the norms: by their eps they stay zeros, and nothing is divided by zero.
TEST_P(EdgeWeightsTest, RowsOfZeros) {
  const int32_t token = golden_.input_ids[7];
  const auto change = [&](const std::string& tensor, absl::Span<const int64_t> dims,
                          absl::Span<float> x) {
    if (IsEmbedding(tensor)) std::ranges::fill(x.subspan(token * dims[1], dims[1]), 0.0F);
    if (absl::StrContains(tensor, "wpe")) std::ranges::fill(x, 0.0F);
  };
  const std::vector<float> logits = Check(change, Case{});
  EXPECT_EQ(Nans(logits), 0);
  ExpectAsTransformers("zero_rows", logits);
  EXPECT_EQ(Nans(CheckQuantised(change)), 0);
}

TEST_P(EdgeWeightsTest, BlocksAndMatricesOfZeros) {
  const auto change = [&](const std::string& tensor, absl::Span<const int64_t> dims,
                          absl::Span<float> x) {
    if (IsDownProjection(tensor)) std::ranges::fill(x, -0.0F);
    if (dims.size() != 2) return;
    for (int64_t row = 0; row < dims[0]; row += 3)
      std::ranges::fill(x.subspan(row * dims[1] + 32, std::min<int64_t>(32, dims[1] - 32)), 0.0F);
  };
  EXPECT_EQ(Nans(Check(change, Case{})), 0);
  EXPECT_EQ(Nans(CheckQuantised(change)), 0);
}

// Embeddings of subnormal numbers, which the first norm brings back into sight: were they taken for
// zeros anywhere, every logit would show it.
TEST_P(EdgeWeightsTest, SubnormalActivationsCount) {
  const auto change = [&](const std::string& tensor, absl::Span<const int64_t>,
                          absl::Span<float> x) {
    const bool first_norm = absl::StrContains(tensor, "h.0.ln_1.weight") ||
                            absl::StrContains(tensor, "layers.0.input_layernorm.weight");
    for (float& value : x) {
      if (IsEmbedding(tensor) || absl::StrContains(tensor, "wpe")) value *= 1e-40F;
      // 1 / sqrt(eps) of the families is between 316 and 1000.
      if (first_norm) value *= 3e36F;
    }
  };
  const std::vector<float> logits = Check(change, Case{});
  EXPECT_EQ(Nans(logits), 0);
  ExpectAsTransformers("subnormal", logits);
}

// Weights whose scales are subnormal in F16 (down to 2^-24), and so small that the scale is zero.
TEST_P(EdgeWeightsTest, ScalesThatF16HardlyHolds) {
  const auto scaled = [](float factor) {
    return [factor](const std::string& tensor, absl::Span<const int64_t>, absl::Span<float> x) {
      if (!absl::StrContains(tensor, "lm_head") && !IsEmbedding(tensor)) return;
      for (float& value : x) value *= factor;
    };
  };
  const std::vector<float> small = CheckQuantised(scaled(1e-4F));
  EXPECT_GT(*std::ranges::max_element(small), 5e-5);
  for (const float none : Check(scaled(1e-8F), kQ8)) ASSERT_EQ(none, 0);
}

// Keys that F16 cannot hold become infinite in the cache, and scores of them NaN: that shows, in
// the same places as in the evaluator.
TEST_P(EdgeWeightsTest, KeysAndValuesBeyondTheCachesFormat) {
  for (const char* const which : {"k_proj", "v_proj"}) {
    bool found = false;
    const auto change = [&](const std::string& tensor, absl::Span<const int64_t>,
                            absl::Span<float> x) {
      const bool scaled = absl::StrContains(tensor, "c_attn.weight") ||
                          absl::StrContains(tensor, "qkv_proj.weight") ||
                          absl::StrContains(tensor, absl::StrCat(which, ".weight"));
      if (!scaled) return;
      found = true;
      for (float& value : x) value *= 1e7F;
    };
    const std::string path = Changed(change);
    ASSERT_TRUE(found) << which;
    // Normalised keys are as large as ever.
    const bool normalised = (GetParam() == "gemma3" || GetParam() == "qwen3");
    const bool fits = normalised && absl::string_view(which) == "k_proj";
    for (const KvMode kv : {KvMode::kF16, KvMode::kQ8_0}) {
      const std::vector<float> logits = Logits(path, Case{WeightsMode::kF32, kv, {}});
      EXPECT_EQ(Nans(logits) > 0, !fits) << which << ", " << Name(kv);
      const std::vector<float> evaluated = Evaluated(path, Case{WeightsMode::kF32, kv, {}});
      for (size_t i = 0; i < logits.size(); ++i)
        ASSERT_EQ(std::isnan(logits[i]), std::isnan(evaluated[i])) << "row " << i / kVocab;
    }
  }
}

// Squares of the largest values are beyond F32, as they are for transformers in float32: what comes
// of it is the same everywhere. Some families end up with numbers there, all of them or a few.
TEST_P(EdgeWeightsTest, TheLargestNumbersGiveTheSameEverywhere) {
  const int32_t token = golden_.input_ids[11];
  for (const auto& [name, value] :
       {std::pair("largest", kLargest), {"1e30", 1e30F}, {"-1e20", -1e20F}}) {
    const std::string path = Changed(
        [&](const std::string& tensor, absl::Span<const int64_t> dims, absl::Span<float> x) {
          if (IsEmbedding(tensor)) x[token * dims[1] + 2] = value;
          if (IsNormOfLayer1(tensor)) x[1] = value;
        });
    ExpectAsTransformers(name, Logits(path, Case{}));
    EXPECT_FALSE(Logits(path, Case{WeightsMode::kQ8_0,
                                   KvMode::kF16,
                                   {{GetParam().starts_with("gpt2") ? "*wte*" : "*embed_tokens*",
                                     DataType::kF32}}})
                     .empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, EdgeWeightsTest, testing::ValuesIn(TinyModels()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace weft
