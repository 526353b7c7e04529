// Element types of tensors: those the IR computes in, and those model files hold.
// Block types pack `block_values` consecutive values along the last dim into `block_bytes` bytes;
// their layouts are those of GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and
// the `gguf` Python package).
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace weft {

// name in the IR, ggml type id (-1: not a ggml type), values per block, bytes per block
#define WEFT_DATA_TYPES(X)                                                             \
  X(kF32, "f32", 0, 1, 4)                                                              \
  X(kF16, "f16", 1, 1, 2)                                                              \
  X(kBF16, "bf16", 30, 1, 2)                                                           \
  X(kF64, "f64", 28, 1, 8)                                                             \
  X(kI8, "i8", 24, 1, 1)                                                               \
  X(kI16, "i16", 25, 1, 2)                                                             \
  X(kI32, "i32", 26, 1, 4)                                                             \
  X(kI64, "i64", 27, 1, 8)                                                             \
  X(kU8, "u8", -1, 1, 1)                                                               \
  X(kQ4_0, "q4_0", 2, 32, 18)                                                          \
  X(kQ4_1, "q4_1", 3, 32, 20)                                                          \
  X(kQ5_0, "q5_0", 6, 32, 22)                                                          \
  X(kQ5_1, "q5_1", 7, 32, 24)                                                          \
  X(kQ8_0, "q8_0", 8, 32, 34)                                                          \
  X(kQ2_K, "q2_k", 10, 256, 84)                                                        \
  X(kQ3_K, "q3_k", 11, 256, 110)                                                       \
  X(kQ4_K, "q4_k", 12, 256, 144)                                                       \
  X(kQ5_K, "q5_k", 13, 256, 176)                                                       \
  X(kQ6_K, "q6_k", 14, 256, 210)                                                       \
  X(kIQ2_XXS, "iq2_xxs", 16, 256, 66)                                                  \
  X(kIQ2_XS, "iq2_xs", 17, 256, 74)                                                    \
  X(kIQ3_XXS, "iq3_xxs", 18, 256, 98)                                                  \
  X(kIQ1_S, "iq1_s", 19, 256, 50)                                                      \
  X(kIQ4_NL, "iq4_nl", 20, 32, 18)                                                     \
  X(kIQ3_S, "iq3_s", 21, 256, 110)                                                     \
  X(kIQ2_S, "iq2_s", 22, 256, 82)                                                      \
  X(kIQ4_XS, "iq4_xs", 23, 256, 136)                                                   \
  X(kIQ1_M, "iq1_m", 29, 256, 56)                                                      \
  X(kTQ1_0, "tq1_0", 34, 256, 54)                                                      \
  X(kTQ2_0, "tq2_0", 35, 256, 66)                                                      \
  X(kMXFP4, "mxfp4", 39, 32, 17)                                                       \
  X(kNVFP4, "nvfp4", 40, 64, 36)                                                       \
  /* Activations quantised while running; no file holds it. A row is int8[K], then f32 \
     scales[K/32], then i32 sums[K/32] of the block's quants, K rounded up to 32. */   \
  X(kQ8A, "q8a", -1, 32, 40)

enum class DataType : uint8_t {
#define WEFT_ENUM(id, name, ggml, values, bytes) id,
  WEFT_DATA_TYPES(WEFT_ENUM)
#undef WEFT_ENUM
};

struct DataTypeInfo {
  DataType type;
  absl::string_view name;
  int ggml_type;
  int block_values;
  int block_bytes;
};

const DataTypeInfo& GetInfo(DataType type);
inline absl::string_view Name(DataType type) { return GetInfo(type).name; }
std::optional<DataType> ParseDataType(absl::string_view name);
std::optional<DataType> DataTypeFromGgml(uint32_t ggml_type);

// True for the types whose blocks hold more than one value (all of them quantised).
inline bool IsBlockType(DataType type) { return GetInfo(type).block_values > 1; }

}  // namespace weft
