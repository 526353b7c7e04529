// What the graph of a decoder-only transformer depends on, whichever file it was read from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace weft {

struct Family;

// Bounds on what files say. The largest open models have 126 layers, 53,248 wide, of 232 heads, and
// heads of 512 columns. With these every product of two dims, and the bytes of any matrix, fit
// int64_t with room, and what a file of some kilobytes can ask for stays small: a layer takes 6 ms
// to compile, a position of a cached head two pages, a column of a head 16 KiB of a RoPE table and
// 192 bytes of the attention kernel's stack (passes/schedule.cc).
inline constexpr int64_t kMaxLayers = 1'000;
inline constexpr int64_t kMaxModelDim = int64_t{1} << 24;
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxCachedHeads = 16'384;  // of all layers; the largest known have 9,216
inline constexpr int64_t kMaxHeadDim = 1024;
inline constexpr int64_t kMaxPositions = int64_t{1} << 30;

// One set of rotation speeds. Layers that share it share a table.
struct RopeConfig {
  std::vector<float> inv_freq;  // radians per position of each rotated pair
  bool local = false;           // that of the sliding layers, where the model has two
};

struct LayerConfig {
  int64_t window = 0;          // positions that attention sees, its own included; 0: all
  int rope = -1;               // index into DecoderConfig::ropes; -1: not rotated
  double attention_scale = 1;  // factor on q·k
};

// How the file calls the numbers below, for messages.
struct ConfigFieldNames {
  std::string hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions;
};

struct DecoderConfig {
  const Family* family = nullptr;
  std::string source;  // the file these numbers come from, for messages
  ConfigFieldNames fields;
  bool gguf = false;  // tensors have GGUF's names and conventions

  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t intermediate = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 0;

  double norm_eps = 0;
  double norm_offset = 0;        // added to the weights of RMS norms
  double embedding_scale = 1;    // an F32 value
  double attention_softcap = 0;  // 0: none
  double final_softcap = 0;      // 0: none
  std::string activation;        // gelu, gelu_tanh or silu
  bool qkv_bias = false;
  bool attention_out_bias = false;
  bool ffn_bias = false;
  bool tied = false;              // the output matrix is the embedding
  bool interleaved_rope = false;  // rotated pairs are neighbours

  std::vector<RopeConfig> ropes;
  std::vector<LayerConfig> layers;

  // Index of the set with these speeds in `ropes`, added where it is new.
  int AddRope(RopeConfig rope);
};

// Whether the numbers go together (heads divide, pairs of rotated columns fit a head); the error
// names file, field and both values.
absl::Status ValidateConfig(const DecoderConfig& config);

}  // namespace weft
