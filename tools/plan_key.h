// What the bytes of a plan depend on: plans of equal keys are interchangeable.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "tools/compile_model.h"
#include "tools/digest_index.h"

namespace weft::tools {

struct PlanKey {
  // {"compiler", "cpu", "model", "weights", "config", "options"}
  nlohmann::ordered_json content;
  std::string id;  // of the content: 16 hex digits
};

// The options that a plan records, by name; of one that was given several times, an array.
nlohmann::ordered_json DescribeOptions(const CompileSettings& settings, int64_t context);

// Of the model at `path` (a folder or GGUF file), compiled as `settings` say for a context of so
// many positions, 0 for the model's. Errors are those of finding and reading the model's files.
absl::StatusOr<PlanKey> MakePlanKey(const std::string& path, const CompileSettings& settings,
                                    int64_t context, DigestIndex* digests);

}  // namespace weft::tools
