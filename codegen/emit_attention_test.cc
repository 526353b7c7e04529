#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// `heads` queries over `cached` heads; a unit is `rows` tokens of `heads` / `units` heads, or, with
// few tokens, one of `slices` of these.
struct Shape {
  int heads = 6;
  int cached = 2;
  int head_dim = 16;
  int units = 2;
  int rows = 24;
  const char* format = "f32";
  int slices = 1;
};

std::string Module(const Shape& shape, const std::string& attributes = "") {
  const std::string columns = absl::StrCat(shape.heads * shape.head_dim);
  const std::string cached = absl::StrCat(shape.cached * shape.head_dim);
  const double scale = 1 / std::sqrt(shape.head_dim);
  return absl::StrCat(
      R"(module "m" {
    %0 = input {name="q"} : f32[T,)",
      columns, R"(]
    %1 = input {name="k"} : f32[T,)",
      cached, R"(]
    %2 = input {name="v"} : f32[T,)",
      cached, R"(]
    %3 = kv_append %1, %2 {format=")",
      shape.format, R"(", heads=)", shape.cached, R"(, layer=0, partition="token_heads", units=)",
      shape.cached, "} : ", shape.format, "[S,2,", shape.cached, ",", shape.head_dim, R"(]
    %4 = attention %0, %3 {heads=)",
      shape.heads, ", scale=", absl::StrFormat("%.6f", scale), attributes,
      R"(, partition="token_heads", units=)", shape.units * shape.slices,
      ", unit_rows=", shape.rows, shape.slices == 1 ? "" : absl::StrCat(", slices=", shape.slices),
      "} : f32[T,", columns, R"(]
    return %4
  })");
}

// exp is within 1e-7, and sums over at most 70 positions.
constexpr double kTolerance = 5e-6;

TEST(EmitAttention, HeadDims) {
  for (int head_dim : {16, 64, 80, 96, 128, 256}) {
    SCOPED_TRACE(head_dim);
    CheckKernels(Module({.heads = 2, .cached = 1, .head_dim = head_dim, .units = 1}), {},
                 kTolerance);
  }
}
TEST(EmitAttention, HeadDimsThatAreNoMultipleOf16) {
  for (int head_dim : {2, 20, 72, 100})
    CheckKernels(Module({.head_dim = head_dim}), {}, kTolerance);
}
// The most that passes/schedule.cc lets a unit hold.
TEST(EmitAttention, TheWidestScratch) {
  CheckKernels(Module({.heads = 2, .cached = 1, .head_dim = 1024, .units = 2}), {}, kTolerance);
  CheckKernels(Module({.heads = 8, .cached = 1, .head_dim = 128, .units = 1}), {}, kTolerance);
}
TEST(EmitAttention, Groups) {
  for (int group : {1, 2, 3, 4, 5, 7, 8, 13}) {
    SCOPED_TRACE(group);
    CheckKernels(Module({.heads = 2 * group, .cached = 2, .units = 2}), {}, kTolerance);
  }
}
TEST(EmitAttention, UnitsOfFewerHeadsOrTokens) {
  for (int units : {2, 4, 8}) {
    for (int rows : {1, 6, 7, 24})
      CheckKernels(Module({.heads = 8, .cached = 2, .units = units, .rows = rows}), {}, kTolerance);
  }
}
TEST(EmitAttention, Window) {
  for (const char* window : {"1", "3", "5", "16", "64", "66"}) {
    SCOPED_TRACE(window);
    CheckKernels(Module({}, absl::StrCat(", window=", window)), {}, kTolerance);
  }
}
TEST(EmitAttention, CachesOfOtherFormats) {
  for (const char* format : {"f16", "q8_0"}) {
    SCOPED_TRACE(format);
    for (int head_dim : {2, 20, 64, 80, 100, 128, 256})
      CheckKernels(Module({.head_dim = head_dim, .format = format}), {}, kTolerance);
    CheckKernels(Module({.heads = 2, .cached = 2, .head_dim = 48, .format = format}, ", window=21"),
                 {}, kTolerance);
    CheckKernels(Module({.heads = 8, .cached = 1, .units = 2, .format = format}), {}, kTolerance);
  }
}
TEST(EmitAttention, Softcap) {
  CheckKernels(Module({.head_dim = 32}, ", softcap=2.0"), {}, kTolerance);
}

TEST(EmitAttention, Slices) {
  for (int slices : {2, 3, 32}) {
    SCOPED_TRACE(slices);
    CheckKernels(Module({.slices = slices}), {}, kTolerance);
    CheckKernels(Module({.heads = 8, .cached = 1, .head_dim = 20, .units = 2, .slices = slices},
                        ", window=5"),
                 {}, kTolerance);
  }
}

// Prompts cut anywhere, also within a panel, a chunk and a span, give the same bits, and so do
// slices; what the cache holds after a token's position does not count.
TEST(EmitAttention, ANumberOfRunsGivesTheSameBits) {
  for (const auto& [format, attributes] :
       {std::pair("f32", ""), std::pair("f32", ", window=37"), std::pair("f16", ""),
        std::pair("f16", ", window=150"), std::pair("q8_0", "")}) {
    Shape shape = {.heads = 4, .cached = 1, .head_dim = 64, .units = 1, .format = format};
    for (const Target& target : TestTargets()) {
      KernelRun run{.tokens = 300, .context = 310};
      const std::vector<uint8_t> whole =
          RunKernels(Module(shape, attributes), {}, target, run, kTolerance);
      for (int slices : {1, 3, 32}) {
        shape.slices = slices;
        for (int64_t piece : {1, 5, 8, 17, 64, 199}) {
          SCOPED_TRACE(testing::Message() << target.name << ", " << format << attributes << ", "
                                          << slices << " slices, runs of " << piece);
          run.piece = piece;
          run.group = slices == 3 ? 1 : 0;
          EXPECT_EQ(RunKernels(Module(shape, attributes), {}, target, run, kTolerance), whole);
        }
      }
      shape.slices = 1;
    }
  }
}

}  // namespace
}  // namespace weft::codegen
