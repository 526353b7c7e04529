#include "codegen/roof_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// A reader that skipped bytes would raise the roof: the exclusive or of all it reads shows each
// bit.
TEST(RoofReader, EveryReaderReadsEveryByteOnce) {
  const std::vector<NamedEmission> readers = RoofReaders();
  EXPECT_EQ(readers.size(), 12U);
  const Target target = TestTargets().front();
  const auto jit = Jit::Load(*CompileToObject(absl::MakeConstSpan(readers), target));
  ASSERT_TRUE(jit.ok()) << jit.status();
  constexpr int64_t kUnits = 12;  // divides into 1 to 4 streams of whole iterations
  std::vector<uint64_t> data(kUnits * kReaderUnit / 8 + 8);
  auto* aligned =
      reinterpret_cast<uint64_t*>((reinterpret_cast<uintptr_t>(data.data()) + 63) / 64 * 64);
  std::mt19937_64 random(1);
  uint64_t expected = 0;
  for (int64_t i = 0; i < kUnits * kReaderUnit / 8; ++i) expected ^= aligned[i] = random();
  for (const NamedEmission& reader : readers) {
    alignas(64) uint64_t sums[8] = {};
    void* operands[] = {aligned, sums};
    const KernelContext context{};
    (*(*jit)->Lookup(reader.name))(&context, operands, 0, kUnits);
    uint64_t actual = 0;
    for (uint64_t sum : sums) actual ^= sum;
    EXPECT_EQ(actual, expected) << reader.name;
  }
}

}  // namespace
}  // namespace weft::codegen
