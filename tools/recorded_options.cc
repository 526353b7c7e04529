#include "tools/recorded_options.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"

namespace weft::tools {
namespace {

struct NumberOption {
  const char* name;
  int64_t passes::PassOptions::* value;
};
constexpr NumberOption kNumbers[] = {{"ctx-size", &passes::PassOptions::context},
                                     {"batch-size", &passes::PassOptions::max_tokens},
                                     {"logit-rows", &passes::PassOptions::max_logit_rows},
                                     {"q8-threshold", &passes::PassOptions::q8_threshold}};
constexpr char kWeights[] = "weights";
constexpr char kKv[] = "kv";
constexpr char kTarget[] = "target";
constexpr char kWeightFormat[] = "weight-format";
constexpr char kDisablePass[] = "disable-pass";

absl::Status ReadOption(const PlanMetadata::Option& option, CompileSettings* settings) {
  passes::PassOptions& pass = settings->pipeline.pass;
  for (const NumberOption& number : kNumbers) {
    if (option.name != number.name) continue;
    if (absl::SimpleAtoi(option.value, &(pass.*number.value))) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("'", option.value, "' is no number"));
  }
  if (option.name == kWeights) {
    WEFT_ASSIGN_OR_RETURN(pass.weights, passes::ParseWeightsMode(option.value));
  } else if (option.name == kKv) {
    WEFT_ASSIGN_OR_RETURN(pass.kv, passes::ParseKvMode(option.value));
  } else if (option.name == kTarget) {
    settings->target = option.value;
  } else if (option.name == kWeightFormat) {
    WEFT_ASSIGN_OR_RETURN(passes::FormatOverride format, passes::ParseFormatOverride(option.value));
    pass.formats.push_back(std::move(format));
  } else if (option.name == kDisablePass) {
    settings->pipeline.disabled.push_back(option.value);
  } else {
    return absl::InvalidArgumentError("this weft has no such option");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<PlanMetadata::Option> RecordOptions(const CompileSettings& settings, int64_t context) {
  passes::PassOptions pass = settings.pipeline.pass;
  pass.context = context;
  std::vector<PlanMetadata::Option> options;
  const auto add = [&options](const char* name, const std::string& value) {
    options.push_back({name, value});
  };
  for (const NumberOption& number : kNumbers) add(number.name, absl::StrCat(pass.*number.value));
  add(kWeights, std::string(passes::Name(pass.weights)));
  for (const passes::FormatOverride& format : pass.formats)
    add(kWeightFormat, absl::StrCat(format.pattern, "=", Name(format.format)));
  add(kKv, std::string(passes::Name(pass.kv)));
  add(kTarget, settings.target);
  for (const std::string& name : settings.pipeline.disabled) add(kDisablePass, name);
  return options;
}

absl::StatusOr<CompileSettings> ReadOptions(const std::vector<PlanMetadata::Option>& options) {
  CompileSettings settings;
  for (const PlanMetadata::Option& option : options) {
    const absl::Status status = ReadOption(option, &settings);
    if (status.ok()) continue;
    return absl::Status(status.code(), absl::StrCat("recorded option --", option.name, " ",
                                                    option.value, ": ", status.message()));
  }
  return settings;
}

}  // namespace weft::tools
