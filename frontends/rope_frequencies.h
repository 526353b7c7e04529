// How fast rotary position embeddings turn each pair of columns.
#pragma once

#include <cstdint>
#include <vector>

namespace weft {

struct RopeSettings {
  enum class Scaling { kNone, kLinear, kLlama3 };

  double theta = 10000;
  int64_t dim = 0;  // rotated columns of a head, even
  Scaling scaling = Scaling::kNone;
  double factor = 1;  // linear and llama3: how much slower
  // llama3 only: wavelengths below original_context / high_freq_factor stay as they are, those
  // above original_context / low_freq_factor are slowed down in full.
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 0;
};

// dim / 2 values: 1 / theta^(2i / dim) (https://arxiv.org/abs/2104.09864, section 3.2.2), scaled.
// Computed in F32 with the roundings of Hugging Face transformers (modeling_rope_utils.py).
std::vector<float> InverseFrequencies(const RopeSettings& settings);

}  // namespace weft
