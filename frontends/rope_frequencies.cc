#include "frontends/rope_frequencies.h"

#include <cmath>
#include <numbers>

namespace weft {
namespace {

float Llama3(const RopeSettings& settings, float inv_freq) {
  const auto context = static_cast<float>(settings.original_context);
  const auto factor = static_cast<float>(settings.factor);
  // Python's double quotients, rounded where they meet a tensor.
  const auto longest = static_cast<float>(settings.original_context / settings.low_freq_factor);
  const auto shortest = static_cast<float>(settings.original_context / settings.high_freq_factor);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / inv_freq;
  if (wavelength > longest) return inv_freq / factor;
  if (wavelength < shortest) return inv_freq;
  const float smooth = (context / wavelength - static_cast<float>(settings.low_freq_factor)) /
                       static_cast<float>(settings.high_freq_factor - settings.low_freq_factor);
  return (1.0F - smooth) * inv_freq / factor + smooth * inv_freq;
}

}  // namespace

std::vector<float> InverseFrequencies(const RopeSettings& settings) {
  const auto theta = static_cast<float>(settings.theta);
  std::vector<float> result;
  for (int64_t i = 0; i < settings.dim; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(settings.dim);
    const auto power =
        static_cast<float>(std::pow(static_cast<double>(theta), static_cast<double>(exponent)));
    const float inv_freq = 1.0F / power;
    switch (settings.scaling) {
      case RopeSettings::Scaling::kNone:
        result.push_back(inv_freq);
        break;
      case RopeSettings::Scaling::kLinear:
        result.push_back(inv_freq / static_cast<float>(settings.factor));
        break;
      case RopeSettings::Scaling::kLlama3:
        result.push_back(Llama3(settings, inv_freq));
        break;
    }
  }
  return result;
}

}  // namespace weft
