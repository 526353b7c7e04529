// Small random models for tests of passes, and weights for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ir/evaluator.h"
#include "ir/module.h"
#include "ir/weight_reader.h"
#include "passes/pass_manager.h"

namespace weft::passes {

enum class Family : uint8_t { kLlama, kGpt2, kGemma, kPhi3 };
inline constexpr Family kFamilies[] = {Family::kLlama, Family::kGpt2, Family::kGemma,
                                       Family::kPhi3};

// A model with random dims as a front end writes it, as IR text. Phi 3 arrives fused. `layers` of 0
// means any number; other dims depend on the seed only.
std::string RandomModel(Family family, uint32_t seed, int64_t layers = 0);

// Values that depend on the tensor's name and the index only, about as large as real ones.
class SyntheticWeights final : public ir::WeightReader {
 public:
  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override;
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& tensor) const override;
  void Release(const ir::SourceTensor& /*tensor*/) const override {}
};

// Parses text that is legal.
ir::Module ParseOrDie(absl::string_view text);
// Runs the default pipeline under all checks and expects success.
ir::Module Lower(absl::string_view text, PipelineOptions options);
// Outputs for a few tokens.
std::vector<ir::Value> Outputs(const ir::Module& module);

// Runs only the pass, over random models of all families with passes before it in the pipeline run
// if `with_prefix`; expects the very same bits, and that some model changed.
void ExpectSameNumbers(absl::string_view pass, bool with_prefix,
                       WeightsMode weights = WeightsMode::kF32);

}  // namespace weft::passes
