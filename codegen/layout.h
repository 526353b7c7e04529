// Sizes of packed weights, quantised activations and the KV cache: docs/architecture.md, in
// numbers.
#pragma once

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

// KV cache of a layer: keys, then values, each by heads and then chunks of 64 positions. A chunk of
// keys is 4 panels of 16 positions, per column of the head 16 floats; a chunk of values is
// ⌈head_dim/16⌉ panels of 16 columns, per position 16 floats.
inline constexpr int64_t kChunk = 64;
inline constexpr int64_t kChunkPanels = kChunk / kPanelRows;

constexpr int64_t Chunks(int64_t context) { return CeilDiv(context, kChunk); }
constexpr int64_t KeyPanelBytes(int64_t head_dim) { return head_dim * kPanelRows * 4; }
constexpr int64_t ValuePanelBytes() { return kChunk * kPanelRows * 4; }
constexpr int64_t KeyHeadBytes(int64_t context, int64_t head_dim) {
  return Chunks(context) * kChunkPanels * KeyPanelBytes(head_dim);
}
constexpr int64_t ValueHeadBytes(int64_t context, int64_t head_dim) {
  return Chunks(context) * Panels(head_dim) * ValuePanelBytes();
}

}  // namespace weft::codegen
