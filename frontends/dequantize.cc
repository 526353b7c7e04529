#include "frontends/dequantize.h"

#include <cstring>

#include "frontends/dequantize_blocks.h"
#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"
#include "runtime/abi/q8_0.h"

namespace weft {
namespace {

// Converts `blocks` consecutive blocks.
using Dequantizer = void (*)(const uint8_t* src, int64_t blocks, float* dst);

// The table of data_type.h as constants.
struct BlockSize {
  int values;
  int bytes;
};
constexpr BlockSize kBlockSizes[] = {
#define WEFT_BLOCK_SIZE(id, name, ggml, values, bytes) {values, bytes},
    WEFT_DATA_TYPES(WEFT_BLOCK_SIZE)
#undef WEFT_BLOCK_SIZE
};

template <DataType kType, void (*kBlock)(const uint8_t*, float*)>
void EachBlock(const uint8_t* src, int64_t blocks, float* dst) {
  constexpr BlockSize kSize = kBlockSizes[static_cast<int>(kType)];
  for (; blocks > 0; --blocks, src += kSize.bytes, dst += kSize.values) kBlock(src, dst);
}

void FromF32(const uint8_t* src, int64_t values, float* dst) {
  if (values > 0) std::memcpy(dst, src, static_cast<size_t>(values) * sizeof(float));
}

void FromF16(const uint8_t* src, int64_t values, float* dst) {
  for (int64_t i = 0; i < values; ++i) dst[i] = LoadF16(src + 2 * i);
}

void FromBF16(const uint8_t* src, int64_t values, float* dst) {
  for (int64_t i = 0; i < values; ++i) dst[i] = BF16ToF32(LoadU16(src + 2 * i));
}

void FromF64(const uint8_t* src, int64_t values, float* dst) {
  for (int64_t i = 0; i < values; ++i) {
    double value = 0;
    std::memcpy(&value, src + 8 * i, sizeof(value));
    dst[i] = static_cast<float>(value);
  }
}

void FromQ8_0(const uint8_t* src, int64_t blocks, float* dst) {
  DequantizeQ8_0(src, blocks * kQ8BlockValues, dst);
}

// Null for integers, which stand for nothing but themselves, and for what no file holds.
Dequantizer FindDequantizer(DataType type) {
  switch (type) {
    case DataType::kF32:
      return FromF32;
    case DataType::kF16:
      return FromF16;
    case DataType::kBF16:
      return FromBF16;
    case DataType::kF64:
      return FromF64;
    case DataType::kI8:
    case DataType::kI16:
    case DataType::kI32:
    case DataType::kI64:
    case DataType::kU8:
    case DataType::kQ8A:
      return nullptr;
    case DataType::kQ4_0:
      return EachBlock<DataType::kQ4_0, DequantizeBlockQ4_0>;
    case DataType::kQ4_1:
      return EachBlock<DataType::kQ4_1, DequantizeBlockQ4_1>;
    case DataType::kQ5_0:
      return EachBlock<DataType::kQ5_0, DequantizeBlockQ5_0>;
    case DataType::kQ5_1:
      return EachBlock<DataType::kQ5_1, DequantizeBlockQ5_1>;
    case DataType::kQ8_0:
      return FromQ8_0;
    case DataType::kQ2_K:
      return EachBlock<DataType::kQ2_K, DequantizeBlockQ2_K>;
    case DataType::kQ3_K:
      return EachBlock<DataType::kQ3_K, DequantizeBlockQ3_K>;
    case DataType::kQ4_K:
      return EachBlock<DataType::kQ4_K, DequantizeBlockQ4_K>;
    case DataType::kQ5_K:
      return EachBlock<DataType::kQ5_K, DequantizeBlockQ5_K>;
    case DataType::kQ6_K:
      return EachBlock<DataType::kQ6_K, DequantizeBlockQ6_K>;
    case DataType::kIQ2_XXS:
      return EachBlock<DataType::kIQ2_XXS, DequantizeBlockIQ2_XXS>;
    case DataType::kIQ2_XS:
      return EachBlock<DataType::kIQ2_XS, DequantizeBlockIQ2_XS>;
    case DataType::kIQ3_XXS:
      return EachBlock<DataType::kIQ3_XXS, DequantizeBlockIQ3_XXS>;
    case DataType::kIQ1_S:
      return EachBlock<DataType::kIQ1_S, DequantizeBlockIQ1_S>;
    case DataType::kIQ4_NL:
      return EachBlock<DataType::kIQ4_NL, DequantizeBlockIQ4_NL>;
    case DataType::kIQ3_S:
      return EachBlock<DataType::kIQ3_S, DequantizeBlockIQ3_S>;
    case DataType::kIQ2_S:
      return EachBlock<DataType::kIQ2_S, DequantizeBlockIQ2_S>;
    case DataType::kIQ4_XS:
      return EachBlock<DataType::kIQ4_XS, DequantizeBlockIQ4_XS>;
    case DataType::kIQ1_M:
      return EachBlock<DataType::kIQ1_M, DequantizeBlockIQ1_M>;
    case DataType::kTQ1_0:
      return EachBlock<DataType::kTQ1_0, DequantizeBlockTQ1_0>;
    case DataType::kTQ2_0:
      return EachBlock<DataType::kTQ2_0, DequantizeBlockTQ2_0>;
    case DataType::kMXFP4:
      return EachBlock<DataType::kMXFP4, DequantizeBlockMXFP4>;
    case DataType::kNVFP4:
      return EachBlock<DataType::kNVFP4, DequantizeBlockNVFP4>;
  }
  WEFT_CHECK(false);
  return nullptr;
}

}  // namespace

bool CanDequantize(DataType type) { return FindDequantizer(type) != nullptr; }

void Dequantize(DataType type, const uint8_t* src, int64_t values, float* dst) {
  const Dequantizer dequantizer = FindDequantizer(type);
  const int block_values = GetInfo(type).block_values;
  WEFT_CHECK(dequantizer != nullptr && values >= 0 && values % block_values == 0);
  dequantizer(src, values / block_values, dst);
}

}  // namespace weft
