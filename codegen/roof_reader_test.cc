#include "codegen/roof_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// Readers load whole aligned vectors.
struct alignas(64) Line {
  uint64_t words[8];
};

// A reader that skipped bytes would raise the roof: the exclusive or of all it reads shows each
// bit.
TEST(RoofReader, EveryReaderReadsEveryByteOnce) {
  const std::vector<NamedEmission> readers = RoofReaders();
  EXPECT_EQ(readers.size(), 12U);
  const Target target = TestTargets().front();
  const auto jit = Jit::Load(*CompileToObject(absl::MakeConstSpan(readers), target));
  ASSERT_TRUE(jit.ok()) << jit.status();
  constexpr int64_t kUnits = 12;  // divides into 1 to 4 streams of whole iterations
  std::vector<Line> data(kUnits * kReaderUnit / sizeof(Line));
  std::mt19937_64 random(1);
  uint64_t expected = 0;
  for (Line& line : data) {
    for (uint64_t& word : line.words) expected ^= word = random();
  }
  for (const NamedEmission& reader : readers) {
    alignas(64) uint64_t sums[8] = {};
    void* operands[] = {data.data(), sums};
    const KernelContext context{};
    (*(*jit)->Lookup(reader.name))(&context, operands, 0, kUnits);
    uint64_t actual = 0;
    for (uint64_t sum : sums) actual ^= sum;
    EXPECT_EQ(actual, expected) << reader.name;
  }
}

}  // namespace
}  // namespace weft::codegen
