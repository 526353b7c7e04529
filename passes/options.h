// What the caller may decide about compilation. Sizes are checked by Validate, which the pass
// manager calls.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "passes/remark.h"
#include "runtime/abi/data_type.h"

namespace weft::passes {

enum class WeightsMode : uint8_t { kAuto, kF32, kQ8_0 };

// How the cache holds keys and values. kAuto: F16 where a weight is Q8_0, else F32.
enum class KvMode : uint8_t { kAuto, kF32, kF16, kQ8_0 };

// Weights whose tensor, location or user's location matches the glob get the format.
struct FormatOverride {
  std::string pattern;  // fnmatch(3): '*' also matches '.'
  DataType format = DataType::kF32;
};

struct PassOptions {
  // Under kAuto, float weights with max(in, out) at or above this become Q8_0.
  int64_t q8_threshold = 1024;
  WeightsMode weights = WeightsMode::kAuto;
  std::vector<FormatOverride> formats;  // the last match wins
  KvMode kv = KvMode::kAuto;
  int64_t max_tokens = 256;    // the most tokens that one run takes (prefill chunk)
  int64_t max_logit_rows = 1;  // the most logit rows that one run gives
  int64_t context = 0;         // positions of the KV cache; 0: all that the graph allows
  // Gets what passes say about weights; changes nothing of what they do.
  std::function<void(Remark)> remark;
};

absl::Status Validate(const PassOptions& options);

// "auto", "f32" or "q8_0".
absl::StatusOr<WeightsMode> ParseWeightsMode(absl::string_view text);
absl::string_view Name(WeightsMode mode);
// "auto", "f32", "f16" or "q8_0".
absl::StatusOr<KvMode> ParseKvMode(absl::string_view text);
absl::string_view Name(KvMode mode);
// "PATTERN=f32" or "PATTERN=q8_0".
absl::StatusOr<FormatOverride> ParseFormatOverride(absl::string_view text);

}  // namespace weft::passes
