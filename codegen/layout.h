// Sizes of packed weights, quantised activations and the KV cache: docs/architecture.md, in
// numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ir/type.h"

namespace weft::codegen {

inline constexpr int64_t kPanelRows = 16;
inline constexpr int64_t kBlock = 32;                   // k per scale of Q8_0 and q8a
inline constexpr int64_t kScaleBytes = kPanelRows * 2;  // f16 scales of a panel's block
inline constexpr int64_t kGroupBytes = kPanelRows * 4;  // 16 rows × 4 k of int8
inline constexpr int64_t kPanelBlockBytes = kScaleBytes + kPanelRows * kBlock;  // 544

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr int64_t Blocks(int64_t k) { return CeilDiv(k, kBlock); }
constexpr int64_t Panels(int64_t rows) { return CeilDiv(rows, kPanelRows); }
constexpr int64_t PanelBytes(DataType dtype, int64_t k) {
  return dtype == DataType::kQ8_0 ? Blocks(k) * kPanelBlockBytes : k * kPanelRows * 4;
}

// Offsets in a row of q8a.
constexpr int64_t ActivationScales(int64_t k) { return Blocks(k) * kBlock; }
constexpr int64_t ActivationSums(int64_t k) { return Blocks(k) * (kBlock + 4); }

// KV cache of a layer: keys, then values, each by heads and then chunks of 64 positions, in f32,
// f16 or q8_0. A chunk of keys is 4 panels of 16 positions; a panel has for each column of the head
// 16 values. A chunk of values is ⌈head_dim/16⌉ panels of 16 columns; a panel has for each position
// 16 values.
//
// In q8_0, blocks are 32 columns of one position. A panel of keys is ⌈head_dim/32⌉ times 16 f16
// scales and 32 columns of 16 int8; a chunk of values ⌈head_dim/32⌉ times 64 f16 scales and 64
// positions of 32 int8, two panels.
inline constexpr int64_t kChunk = 64;
inline constexpr int64_t kChunkPanels = kChunk / kPanelRows;
inline constexpr int64_t kChunkScaleBytes = kChunk * 2;
inline constexpr int64_t kChunkBlockBytes = kChunkScaleBytes + kChunk * kBlock;

constexpr int64_t Chunks(int64_t context) { return CeilDiv(context, kChunk); }
// Of one f32 or f16 value.
constexpr int64_t CacheValueBytes(DataType dtype) { return dtype == DataType::kF16 ? 2 : 4; }
constexpr int64_t KeyPanelBytes(DataType dtype, int64_t head_dim) {
  return dtype == DataType::kQ8_0 ? Blocks(head_dim) * kPanelBlockBytes
                                  : head_dim * kPanelRows * CacheValueBytes(dtype);
}
constexpr int64_t ValueChunkBytes(DataType dtype, int64_t head_dim) {
  return dtype == DataType::kQ8_0 ? Blocks(head_dim) * kChunkBlockBytes
                                  : Panels(head_dim) * kChunk * kPanelRows * CacheValueBytes(dtype);
}
constexpr int64_t KeyHeadBytes(DataType dtype, int64_t context, int64_t head_dim) {
  return Chunks(context) * kChunkPanels * KeyPanelBytes(dtype, head_dim);
}
constexpr int64_t ValueHeadBytes(DataType dtype, int64_t context, int64_t head_dim) {
  return Chunks(context) * ValueChunkBytes(dtype, head_dim);
}

// Attention finds a result for each span of the context and merges them in order. Steps of at most
// kSplitTokens tokens leave them in a workspace, [token][span][head] of one partial result each:
// the mixture, highest score, sum of weights.
inline constexpr int64_t kSpan = 2 * kChunk;
inline constexpr int64_t kSplitTokens = 8;

constexpr int64_t PartialBytes(int64_t head_dim) { return (Panels(head_dim) + 1) * kPanelRows * 4; }
// `window` is 0 where a token sees all before it; else tokens in a row meet so many spans at most.
constexpr int64_t WorkspaceBytes(int64_t heads, int64_t head_dim, int64_t context, int64_t window) {
  const int64_t all = CeilDiv(context, kSpan);
  const int64_t spans = window == 0 ? all : std::min(all, window / kSpan + 3);
  return kSplitTokens * spans * heads * PartialBytes(head_dim);
}

}  // namespace weft::codegen
