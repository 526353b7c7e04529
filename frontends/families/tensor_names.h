// What the tensors of a decoder are called, and the graph's locations after them.
#pragma once

#include <array>

#include "absl/strings/string_view.h"

namespace weft {

// Names are without ".weight" and ".bias"; "" where the scheme has no such tensor. A tensor of a
// layer is prefix + layer + "." + number + "." + name, one outside of the layers prefix + name.
struct TensorNames {
  // Files of one family differ in what stands before all names but `output`: exports of the bare
  // model have nothing, multimodal ones another level. Locations use the first.
  std::array<absl::string_view, 4> prefixes;
  absl::string_view embedding;
  absl::string_view positions;
  absl::string_view layer;
  absl::string_view final_norm;
  std::array<absl::string_view, 2> output;

  absl::string_view attention_norm;
  absl::string_view q, k, v;
  absl::string_view qkv;  // stored fused, rows of q, k, v in this order; used where the file has it
  absl::string_view q_norm, k_norm;
  absl::string_view attention_out;
  absl::string_view post_attention_norm;
  absl::string_view ffn_norm;
  absl::string_view gate, up;
  absl::string_view gate_up;  // stored fused, rows of gate, then of up
  absl::string_view down;
  absl::string_view post_ffn_norm;

  bool transposed = false;  // matrices of layers stand as [in, out] (Conv1D of transformers)

  // Locations of what has no tensor, within a layer.
  absl::string_view attention;
  absl::string_view attention_residual;
  absl::string_view activation;
  absl::string_view product;
  // And outside of the layers.
  absl::string_view rope;
};

extern const TensorNames kLlamaTensorNames;
extern const TensorNames kPhi3TensorNames;
extern const TensorNames kGemmaTensorNames;
extern const TensorNames kGpt2TensorNames;
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Standardized tensor names"
extern const TensorNames kGgufTensorNames;
extern const TensorNames kGgufPhi3TensorNames;

}  // namespace weft
