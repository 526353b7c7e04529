#include "tools/synth_values.h"

#include <cstring>

#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"
#include "runtime/sampling/random.h"

namespace weft::tools {
namespace {

// A number uniform in [0, 2^16) has variance (2^32 - 1) / 12; four of them make 2^32 / 3, of which
// the root is 2^16 / sqrt(3).
constexpr float kPerDeviation = 1.7320508F / 65536;
// 4 · (2^16 - 1) / 2.
constexpr int32_t kMiddle = 2 * 65535;

float Value(const SynthStream& stream, uint64_t bits) {
  const int32_t sum = static_cast<int32_t>(bits & 0xFFFF) +
                      static_cast<int32_t>(bits >> 16 & 0xFFFF) +
                      static_cast<int32_t>(bits >> 32 & 0xFFFF) + static_cast<int32_t>(bits >> 48);
  return stream.mean + static_cast<float>(sum - kMiddle) * (kPerDeviation * stream.deviation);
}

}  // namespace

void FillSynth(const SynthStream& stream, int64_t first, DataType type, absl::Span<uint8_t> out) {
  // Streams start at places that the generator itself scatters over its period of 2^64: the chance
  // that two of some hundred, each shorter than 2^31, overlap is below 2^-15.
  const uint64_t start = Random(Random(stream.seed).Next() ^ stream.stream).Next();
  Random random(start);
  random.Skip(static_cast<uint64_t>(first));
  if (type == DataType::kF32) {
    for (size_t i = 0; i + 4 <= out.size(); i += 4) {
      const float value = Value(stream, random.Next());
      std::memcpy(out.data() + i, &value, sizeof(value));
    }
    return;
  }
  WEFT_CHECK(type == DataType::kBF16);
  for (size_t i = 0; i + 2 <= out.size(); i += 2) {
    const uint16_t value = F32ToBF16(Value(stream, random.Next()));
    std::memcpy(out.data() + i, &value, sizeof(value));
  }
}

}  // namespace weft::tools
