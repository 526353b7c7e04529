// The architectures that `weft synth` writes: dims and settings as the models' makers publish them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/abi/data_type.h"

namespace weft::tools {

enum class SynthFamily { kGpt2, kLlama, kGemma3 };

struct SynthShape {
  absl::string_view name;
  absl::string_view like;  // the published model that has this shape
  SynthFamily family = SynthFamily::kLlama;
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate = 0;
  int64_t positions = 0;
  double rope_theta = 0;
  double norm_eps = 0;
  int64_t window = 0;  // of all but every sixth layer (Gemma 3)
  bool tied = true;    // lm_head is the embedding
  DataType type = DataType::kBF16;
  int32_t bos = 0;
  int32_t eos = 0;
};

// By name as the command line has it, in the order of its help.
absl::Span<const SynthShape> SynthShapes();
// Null where there is none.
const SynthShape* FindSynthShape(absl::string_view name);

// config.json as the family's models have it, with weights of `type`.
nlohmann::ordered_json SynthConfig(const SynthShape& shape, DataType type);

// A tensor of the model folder and how its values are distributed.
struct SynthTensor {
  std::string name;
  std::vector<int64_t> dims;
  float mean = 0;
  float deviation = 0;
};

// All tensors in the order of the file. Deviations keep activations near 1 from layer to layer:
// 1/sqrt(in) in projections, less by sqrt(2 · layers) where the result joins the residual
// (Radford et al., "Language Models are Unsupervised Multitask Learners", 2.3).
std::vector<SynthTensor> SynthTensors(const SynthShape& shape);

}  // namespace weft::tools
