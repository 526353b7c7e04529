#include "passes/options.h"

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"

namespace weft::passes {
namespace {

// Far above any real chunk or context, and low enough that rows times any row's bytes fit 64 bits.
constexpr int64_t kMaxRows = int64_t{1} << 24;

// Of all patterns together, each of which may look at every byte of every name as often as it has
// bytes itself. A plan records those that it was compiled with.
constexpr size_t kMaxPatternBytes = 2048;

absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " must be from ", low, " to ", high, ", not ", value));
}

}  // namespace

absl::Status Validate(const PassOptions& options) {
  for (absl::Status status :
       {CheckRange("the Q8_0 threshold", options.q8_threshold, 0, INT64_MAX),
        CheckRange("the number of tokens in a run", options.max_tokens, 1, kMaxRows),
        CheckRange("the number of logit rows", options.max_logit_rows, 1, options.max_tokens),
        CheckRange("the context", options.context, 0, kMaxRows)}) {
    if (!status.ok()) return status;
  }
  size_t pattern_bytes = 0;
  for (const FormatOverride& entry : options.formats) {
    pattern_bytes += entry.pattern.size();
    if (pattern_bytes > kMaxPatternBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("the patterns of formats for weights have more than ", kMaxPatternBytes,
                       " bytes together"));
    }
    if (entry.format != DataType::kF32 && entry.format != DataType::kQ8_0) {
      return absl::InvalidArgumentError(absl::StrCat("weights are held as f32 or q8_0, not ",
                                                     weft::Name(entry.format), " ('", entry.pattern,
                                                     "')"));
    }
  }
  return absl::OkStatus();
}

absl::string_view Name(WeightsMode mode) {
  switch (mode) {
    case WeightsMode::kAuto:
      return "auto";
    case WeightsMode::kF32:
      return "f32";
    case WeightsMode::kQ8_0:
      return "q8_0";
  }
  WEFT_CHECK(false);
}

absl::StatusOr<WeightsMode> ParseWeightsMode(absl::string_view text) {
  for (WeightsMode mode : {WeightsMode::kAuto, WeightsMode::kF32, WeightsMode::kQ8_0}) {
    if (Name(mode) == text) return mode;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("weights are auto, f32 or q8_0, not '", text, "'"));
}

absl::string_view Name(KvMode mode) {
  switch (mode) {
    case KvMode::kAuto:
      return "auto";
    case KvMode::kF32:
      return "f32";
    case KvMode::kF16:
      return "f16";
    case KvMode::kQ8_0:
      return "q8_0";
  }
  WEFT_CHECK(false);
}

absl::StatusOr<KvMode> ParseKvMode(absl::string_view text) {
  for (KvMode mode : {KvMode::kAuto, KvMode::kF32, KvMode::kF16, KvMode::kQ8_0}) {
    if (Name(mode) == text) return mode;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the KV cache is auto, f32, f16 or q8_0, not '", text, "'"));
}

absl::StatusOr<FormatOverride> ParseFormatOverride(absl::string_view text) {
  const size_t equals = text.rfind('=');
  const bool split = equals != absl::string_view::npos && equals > 0;
  const auto format = ParseDataType(split ? text.substr(equals + 1) : "");
  if (!split || (format != DataType::kF32 && format != DataType::kQ8_0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' is not PATTERN=f32 or PATTERN=q8_0, such as 'model.layers.*.down_proj=f32'"));
  }
  return FormatOverride{std::string(text.substr(0, equals)), *format};
}

}  // namespace weft::passes
