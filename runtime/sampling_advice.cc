#include "runtime/sampling_advice.h"

#include <limits>

namespace weft {
namespace {

// A file may advise any number; what no option can be stays out of range, so that the sampler names
// it.
void Assign(double advised, float* value) { *value = static_cast<float>(advised); }
void Assign(double advised, int* value) {
  using Limits = std::numeric_limits<int>;
  *value = advised > Limits::min() && advised < Limits::max() ? static_cast<int>(advised)
           : advised > 0                                      ? Limits::max()
                                                              : Limits::min();
}

}  // namespace

SamplerOptions Advised(absl::Span<const PlanMetadata::Number> generation, SamplerOptions options) {
  const auto advise = [&](const char* name, auto* value) {
    for (const PlanMetadata::Number& number : generation) {
      if (number.name == name) Assign(number.value, value);
    }
  };
  advise("temperature", &options.temperature);
  advise("top_k", &options.top_k);
  advise("top_p", &options.top_p);
  advise("min_p", &options.min_p);
  advise("repetition_penalty", &options.repeat_penalty);
  return options;
}

}  // namespace weft
