// What a plan says about itself and its model, beside the program.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/cpu.h"

namespace weft {

struct PlanMetadata {
  struct Option {
    std::string name;
    std::string value;
    bool operator==(const Option&) const = default;
  };
  struct SourceFile {
    std::string name;  // without its folder
    uint64_t bytes = 0;
    std::string sha256;  // in hex
    bool operator==(const SourceFile&) const = default;
  };
  struct Target {
    std::string name;          // "x86-64-v3"
    CpuFeatures cpu_features;  // that its machine code needs
    bool operator==(const Target&) const = default;
  };
  struct Number {
    std::string name;
    double value = 0;
    bool operator==(const Number&) const = default;
  };
  struct Decision {
    std::string weight;
    std::string format;
    std::string why;
    bool operator==(const Decision&) const = default;
  };

  std::string weft_version;         // that compiled it
  std::string model;                // name for people
  std::vector<SourceFile> source;   // the files it came from
  std::vector<Target> targets;      // the i-th is that of machine code i; names differ
  std::vector<std::string> stages;  // the i-th is that of IR i; names differ, the last is final
  std::string kv_format;            // element type of the KV cache: f32, f16 or q8_0
  std::vector<Option> options;      // of the compiler, as given; some names come several times
  std::vector<int32_t> eos_ids;     // generation stops at each
  std::optional<int32_t> bos_id;    // the model's, whether or not prompts begin with it
  std::vector<Number> generation;   // the model's defaults: "temperature", "top_k", …
  std::vector<Decision> decisions;  // format of every weight, with its reason
  bool operator==(const PlanMetadata&) const = default;
};

// A plan holds machine code for at most so many targets.
inline constexpr size_t kMaxPlanTargets = 8;
// A plan holds the module of at most so many stages.
inline constexpr size_t kMaxPlanStages = 64;

// "x86-64-v3, avx512-vnni"
std::string TargetNames(const PlanMetadata& metadata);
// "model.safetensors (1234 bytes, sha256 ab…), config.json (…)"
std::string SourceText(const PlanMetadata& metadata);

std::string MetadataToJson(const PlanMetadata& metadata);

// Refuses what is not exactly such a JSON. Errors open with `name`, the file's.
absl::StatusOr<PlanMetadata> MetadataFromJson(absl::string_view json, absl::string_view name);

}  // namespace weft
