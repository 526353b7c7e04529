#include "codegen/roof_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// A reader that skipped bytes would raise the roof: one bit after the other is set, one in each
// cache line, and shows in the result. Of one unit, which three streams do not divide into, and
// which ends where memory does.
TEST(RoofReader, EveryReaderReadsEveryLineAndNoMore) {
  const std::vector<NamedEmission> readers = RoofReaders();
  EXPECT_EQ(readers.size(), 12U);
  const Target target = TestTargets().front();
  const auto jit = Jit::Load(*CompileToObject(absl::MakeConstSpan(readers), target));
  ASSERT_TRUE(jit.ok()) << jit.status();
  GuardedBuffer data(kReaderUnit);
  std::memset(data.data(), 0, data.size());
  for (const NamedEmission& reader : readers) {
    const KernelFn read = *(*jit)->Lookup(reader.name);
    alignas(64) uint64_t sums[8];
    void* operands[] = {data.data(), sums};
    const KernelContext context{};
    for (uint64_t line = 0; line < data.size() / 64; ++line) {
      const uint64_t word = line * 8 + line % 8;
      const uint64_t bit = uint64_t{1} << (line % 64);
      std::memcpy(data.data() + word * 8, &bit, 8);
      std::memset(sums, 0, sizeof sums);
      read(&context, operands, 0, 1);
      uint64_t seen = 0;
      for (uint64_t sum : sums) seen |= sum;
      ASSERT_EQ(seen, bit) << reader.name << ", line " << line;
      std::memset(data.data() + word * 8, 0, 8);
    }
  }
}

}  // namespace
}  // namespace weft::codegen
