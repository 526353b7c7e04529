#include "codegen/int8_dot.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "codegen/kernel_harness.h"
#include "runtime/abi/float16.h"

namespace weft::codegen {
namespace {

// Q8_0 blocks with random quants, a share of them -128, which files may hold; activations of both
// signs come from the harness. One wrong product of -128 and 127 moves a value by 32,512 scales,
// far beyond the tolerance.
TEST(Int8Dot, WeightsOfMinus128) {
  constexpr int64_t kRows = 32;
  constexpr int64_t kBlocks = 3;
  std::mt19937 random(9);
  std::vector<uint8_t> bytes(kRows * kBlocks * 34);
  for (size_t block = 0; block < bytes.size() / 34; ++block) {
    const uint16_t scale = F32ToF16(0.01F);
    std::memcpy(&bytes[block * 34], &scale, 2);
    for (int i = 0; i < 32; ++i)
      bytes[block * 34 + 2 + i] = i % 5 == 0 ? 0x80 : static_cast<uint8_t>(random());
  }
  CheckKernels(R"(module "m" {
    tensor "w" : q8_0[32,96] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,96]
    %1 = quantize %0 {partition="tokens", units=1} : q8a[T,96]
    %2 = weight {tensor="w"} : q8_0[32,96]
    %3 = pack %2 {format="q8_0", layout="panels16"} : q8_0[32,96]{panels16}
    %4 = matmul %1, %3 {partition="panels", units=2} : f32[T,32]
    return %4
  })",
               {{"w", bytes}}, 2e-5);
}

}  // namespace
}  // namespace weft::codegen
