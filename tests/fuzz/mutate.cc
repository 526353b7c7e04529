#include "tests/fuzz/mutate.h"

#include <algorithm>

namespace weft::fuzz {

size_t Below(size_t n, Random& random) { return random() % n; }

std::string MutateBytes(absl::string_view bytes, size_t room, Random& random) {
  constexpr size_t kMostGrowth = 256;
  std::string result(bytes);
  result.resize(bytes.size() +
                std::max<size_t>(std::min(room, kMostGrowth), bytes.empty() ? 1 : 0));
  auto* const data = reinterpret_cast<uint8_t*>(result.data());
  if (bytes.empty()) data[0] = static_cast<uint8_t>(random());
  result.resize(LLVMFuzzerMutate(data, std::max<size_t>(bytes.size(), 1), result.size()));
  return result;
}

uint64_t MutateInteger(uint64_t value, Random& random) {
  const uint64_t power = uint64_t{1} << Below(64, random);
  switch (Below(10, random)) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return value + 1;
    case 3:
      return value - 1;
    case 4:
      return power;
    case 5:
      return power + Below(65, random) - 32;
    case 6:
      return ~uint64_t{0} - Below(64, random);
    case 7:
      return 0 - value;  // wraps around when added to
    case 8:
      return ~uint64_t{0} / (Below(256, random) + 1) + Below(2, random);  // wraps when multiplied
    default:
      return value ^ power;
  }
}

}  // namespace weft::fuzz
