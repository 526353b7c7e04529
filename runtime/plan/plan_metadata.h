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
  std::string source;               // the files it came from, their sizes and hashes, as text
  std::string target;               // as --target took it
  CpuFeatures cpu_features;         // that the machine code needs
  std::string kv_format;            // element type of the KV cache: f32, f16 or q8_0
  std::vector<Option> options;      // of the compiler, as given
  std::vector<int32_t> eos_ids;     // generation stops at each
  std::optional<int32_t> bos_id;    // the model's, whether or not prompts begin with it
  std::vector<Number> generation;   // the model's defaults: "temperature", "top_k", …
  std::vector<Decision> decisions;  // format of every weight, with its reason
  bool operator==(const PlanMetadata&) const = default;
};

std::string MetadataToJson(const PlanMetadata& metadata);

// Refuses what is not exactly such a JSON, also CPU features that this weft does not know. Errors
// open with `name`, the file's.
absl::StatusOr<PlanMetadata> MetadataFromJson(absl::string_view json, absl::string_view name);

}  // namespace weft
