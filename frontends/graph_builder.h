// From a model's description to its graph.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontends/decoder_config.h"
#include "frontends/tensor_file.h"
#include "ir/module.h"

namespace weft {

struct GraphOptions {
  // Positions of the RoPE tables; 0: the smaller of 4,096 and what the model was made for.
  int64_t context = 0;
};

struct DecoderGraph {
  ir::Module module;
  // Locations of the embedding's result, of every layer's but the last, and of the final norm's:
  // what transformers reports as hidden_states.
  std::vector<std::string> hidden_locations;
  int64_t context = 0;
};

// The graph of a decoder, verified, with outputs {logits f32[L, vocab], argmax i32[L]}. Nothing is
// fused: one matmul for each projection, biases and residuals as additions of their own. The order
// of operations is that of transformers. No tensor's data is read.
// Errors: a missing tensor; one whose shape is not what the config says (both are given); more
// context than the model was made for.
absl::StatusOr<DecoderGraph> BuildGraph(const DecoderConfig& config, const TensorFiles& files,
                                        const std::string& name, const GraphOptions& options = {});

}  // namespace weft
