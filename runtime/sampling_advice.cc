#include "runtime/sampling_advice.h"

#include <type_traits>

namespace weft {

SamplerOptions Advised(absl::Span<const PlanMetadata::Number> generation, SamplerOptions options) {
  const auto advise = [&](const char* name, auto* value) {
    for (const PlanMetadata::Number& number : generation) {
      if (number.name == name)
        *value = static_cast<std::remove_pointer_t<decltype(value)>>(number.value);
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
