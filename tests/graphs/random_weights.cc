#include "tests/graphs/random_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "frontends/dequantize.h"
#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"
#include "runtime/abi/q8_0.h"
#include "tests/graphs/random.h"

namespace weft::graphs {
namespace {

struct Distribution {
  double mean = 0;
  double deviation = 1;
};

Distribution DistributionOf(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '~');
  Distribution result;
  if (parts.size() > 1) WEFT_CHECK(absl::SimpleAtod(parts.back(), &result.deviation));
  if (parts.size() > 2) WEFT_CHECK(absl::SimpleAtod(parts[1], &result.mean));
  return result;
}

// FNV-1a.
uint64_t Hash(uint64_t seed, absl::string_view text) {
  uint64_t hash = 14695981039346656037U ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211U;
  return hash;
}

template <typename T>
void Put(T value, std::vector<uint8_t>* bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(&value);
  bytes->insert(bytes->end(), data, data + sizeof(T));
}

using PutScale = void (*)(double scale, uint8_t* at);

void PutF16(double scale, uint8_t* at) {
  const uint16_t half = F32ToF16(static_cast<float>(scale));
  std::memcpy(at, &half, sizeof(half));
}

// Of a block of IQ1_M: a quarter of the F16 in the top of each of four u16, lowest first.
void PutIq1M(double scale, uint8_t* at) {
  const uint16_t half = F32ToF16(static_cast<float>(scale));
  for (int i = 0; i < 4; ++i)
    at[2 * i + 1] = static_cast<uint8_t>((at[2 * i + 1] & 0x0f) | (((half >> (4 * i)) & 15) << 4));
}

// A power of two.
void PutE8M0(double scale, uint8_t* at) {
  *at = static_cast<uint8_t>(std::clamp(128 + std::ilogb(scale), 0, 254));
}

// The power of two, with two bits of what stood there; not the lowest: 0x7f is the format's NaN.
void PutUE4M3(double scale, uint8_t* at) {
  *at = static_cast<uint8_t>((*at & 0x86) | (std::clamp(std::ilogb(scale) + 8, 0, 15) << 3));
}

// Where the scales of a block stand (frontends/dequantize_*.cc), and about how far from zero its
// values get for a scale of 1.
struct BlockScales {
  DataType type;
  std::vector<int> offsets;
  double reach;
  PutScale put = PutF16;
};

const std::vector<BlockScales>& AllBlockScales() {
  static const auto* const kAll = new std::vector<BlockScales>{
      {DataType::kQ4_0, {0}, 8},
      {DataType::kQ4_1, {0, 2}, 16},
      {DataType::kQ5_0, {0}, 16},
      {DataType::kQ5_1, {0, 2}, 32},
      {DataType::kQ2_K, {80, 82}, 45},
      {DataType::kQ3_K, {108}, 128},
      {DataType::kQ4_K, {0, 2}, 15 * 63},
      {DataType::kQ5_K, {0, 2}, 31 * 63},
      {DataType::kQ6_K, {208}, 32 * 127},
      {DataType::kIQ2_XXS, {0}, 172},
      {DataType::kIQ2_XS, {0}, 172},
      {DataType::kIQ2_S, {0}, 172},
      {DataType::kIQ3_XXS, {0}, 496},
      {DataType::kIQ3_S, {0}, 31 * 15},
      {DataType::kIQ1_S, {0}, 15},
      {DataType::kIQ1_M, {48}, 15, PutIq1M},
      {DataType::kIQ4_NL, {0}, 127},
      {DataType::kIQ4_XS, {0}, 32 * 127},
      {DataType::kTQ1_0, {52}, 1},
      {DataType::kTQ2_0, {64}, 2},
      {DataType::kMXFP4, {0}, 12, PutE8M0},
      {DataType::kNVFP4, {0, 1, 2, 3}, 12, PutUE4M3},
  };
  return *kAll;
}

// Any quants, and scales that give values up to about three deviations.
std::vector<uint8_t> RandomBlocks(const BlockScales& scales, int64_t blocks, double deviation,
                                  Random* random) {
  const int bytes = GetInfo(scales.type).block_bytes;
  std::vector<uint8_t> result;
  for (int64_t block = 0; block < blocks; ++block) {
    const size_t begin = result.size();
    for (int i = 0; i < bytes; ++i) result.push_back(static_cast<uint8_t>(random->Next()));
    for (const int offset : scales.offsets) {
      const double scale = random->Normal() * 1.5 * deviation / scales.reach;
      scales.put(scale, result.data() + begin + offset);
    }
  }
  return result;
}

// As files have them, a few with q = -128, which quantising never gives.
std::vector<uint8_t> RandomQ8_0(int64_t blocks, const Distribution& distribution, Random* random) {
  std::vector<uint8_t> result(static_cast<size_t>(blocks * kQ8BlockBytes));
  for (int64_t block = 0; block < blocks; ++block) {
    float values[kQ8BlockValues];
    for (float& value : values)
      value = static_cast<float>(distribution.mean + distribution.deviation * random->Normal());
    uint8_t* at = result.data() + block * kQ8BlockBytes;
    QuantizeQ8_0(values, kQ8BlockValues, at);
    if (random->OneIn(8)) at[2 + random->Below(kQ8BlockValues)] = 0x80;
  }
  return result;
}

std::vector<uint8_t> RandomBytes(const ir::SourceTensor& tensor, uint64_t seed) {
  Random random(Hash(seed, absl::StrCat(tensor.name, " ", Name(tensor.dtype))));
  const Distribution distribution = DistributionOf(tensor.name);
  int64_t count = 1;
  for (const int64_t dim : tensor.dims) count *= dim;
  if (IsBlockType(tensor.dtype)) {
    const int64_t blocks = count / GetInfo(tensor.dtype).block_values;
    if (tensor.dtype == DataType::kQ8_0) return RandomQ8_0(blocks, distribution, &random);
    for (const BlockScales& scales : AllBlockScales()) {
      if (scales.type == tensor.dtype)
        return RandomBlocks(scales, blocks, distribution.deviation, &random);
    }
    WEFT_CHECK(false);
  }
  std::vector<uint8_t> result;
  for (int64_t i = 0; i < count; ++i) {
    const double value = distribution.mean + distribution.deviation * random.Normal();
    const auto narrow = static_cast<float>(value);
    if (tensor.dtype == DataType::kF32) {
      Put(narrow, &result);
    } else if (tensor.dtype == DataType::kF16) {
      Put(F32ToF16(narrow), &result);
    } else if (tensor.dtype == DataType::kBF16) {
      Put(F32ToBF16(narrow), &result);
    } else {
      WEFT_CHECK(tensor.dtype == DataType::kF64);
      Put(value, &result);
    }
  }
  return result;
}

}  // namespace

const std::vector<DataType>& WeightTypes() {
  static const auto* const kTypes = [] {
    auto* types = new std::vector<DataType>{DataType::kF32, DataType::kF16, DataType::kBF16,
                                            DataType::kF64, DataType::kQ8_0};
    for (const BlockScales& scales : AllBlockScales()) types->push_back(scales.type);
    return types;
  }();
  return *kTypes;
}

RandomWeights::RandomWeights(const ir::Module& module, uint64_t seed) {
  for (const ir::SourceTensor& tensor : module.tensors)
    bytes_[tensor.name] = RandomBytes(tensor, seed);
}

absl::Status RandomWeights::Read(const ir::SourceTensor& tensor, int64_t begin,
                                 absl::Span<float> out) const {
  const std::vector<uint8_t>& bytes = bytes_.at(tensor.name);
  const DataTypeInfo& info = GetInfo(tensor.dtype);
  const auto count = static_cast<int64_t>(out.size());
  WEFT_CHECK(begin % info.block_values == 0 && count % info.block_values == 0);
  const auto first = static_cast<size_t>(begin / info.block_values * info.block_bytes);
  const auto length = static_cast<size_t>(count / info.block_values * info.block_bytes);
  WEFT_CHECK(first <= bytes.size() && length <= bytes.size() - first);
  Dequantize(tensor.dtype, bytes.data() + first, count, out.data());
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<const uint8_t>> RandomWeights::Raw(const ir::SourceTensor& tensor) const {
  return absl::MakeConstSpan(bytes_.at(tensor.name));
}

}  // namespace weft::graphs
