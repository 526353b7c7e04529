// Layouts byte by byte, worked out from docs/architecture.md; values are the kernels' tests'
// business.
#include "codegen/pack/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_harness.h"
#include "ir/text.h"
#include "runtime/abi/q8_0.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;

class Reader : public ir::WeightReader {
 public:
  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override {
    if (fail) return absl::DataLossError("disk on fire");
    if (tensor.dtype == DataType::kQ8_0) {
      DequantizeQ8_0(raw.data() + begin / 32 * 34, static_cast<int64_t>(out.size()), out.data());
    } else {
      std::copy_n(values.begin() + begin, out.size(), out.begin());
    }
    return absl::OkStatus();
  }
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& /*tensor*/) const override {
    return absl::MakeConstSpan(raw);
  }
  void Release(const ir::SourceTensor& tensor) const override { ++released[tensor.name]; }

  std::vector<float> values;
  std::vector<uint8_t> raw;
  bool fail = false;
  mutable std::map<std::string, int> released;
};

std::vector<uint8_t> Pack(absl::string_view text, const Reader& reader, size_t bytes,
                          int threads = 1) {
  std::vector<uint8_t> out(bytes, 0);
  const auto report =
      PackWeights(*ir::Parse(text), reader, absl::MakeSpan(out), {.threads = threads});
  EXPECT_TRUE(report.ok()) << report.status();
  return out;
}

constexpr char kF32[] = R"(module "m" {
  tensor "w" : f32[18,3] {file=0, offset=0}
  %0 = weight {tensor="w"} : f32[18,3]
  %1 = pack %0 {format="f32", layout="panels16", space="weights", address=0, bytes=384} : f32[18,3]{panels16}
  return %1
})";

TEST(Pack, F32Panels) {
  Reader reader;
  for (int i = 0; i < 18 * 3; ++i) reader.values.push_back(static_cast<float>(i + 1));
  const std::vector<uint8_t> out = Pack(kF32, reader, 384);
  for (int row = 0; row < 32; ++row) {
    for (int k = 0; k < 3; ++k) {
      float value = -1;
      std::memcpy(&value, &out[((row / 16 * 3 + k) * 16 + row % 16) * 4], 4);
      EXPECT_EQ(value, row < 18 ? row * 3 + k + 1 : 0) << row << ", " << k;
    }
  }
  EXPECT_EQ(reader.released["w"], 1);
}

TEST(Pack, Q8_0BlocksKeepTheirBytes) {
  Reader reader;
  for (int i = 0; i < 17 * 2 * 34; ++i) reader.raw.push_back(static_cast<uint8_t>(i * 37 + 128));
  for (size_t i = 1; i < reader.raw.size(); i += 34) reader.raw[i] &= 0xBF;  // scales below 2
  const std::vector<uint8_t> out = Pack(R"(module "m" {
    tensor "w" : q8_0[17,64] {file=0, offset=0}
    %0 = weight {tensor="w"} : q8_0[17,64]
    %1 = pack %0 {format="q8_0", layout="panels16", space="weights", address=0, bytes=2176} : q8_0[17,64]{panels16}
    return %1
  })",
                                        reader, 2176, 2);
  for (int row = 0; row < 17; ++row) {
    for (int block = 0; block < 2; ++block) {
      const uint8_t* from = &reader.raw[(row * 2 + block) * 34];
      const uint8_t* to = &out[(row / 16 * 2 + block) * 544];
      EXPECT_EQ(std::memcmp(to + row % 16 * 2, from, 2), 0);
      for (int k = 0; k < 32; ++k)
        EXPECT_EQ(to[32 + k / 4 * 64 + row % 16 * 4 + k % 4], from[2 + k])
            << row << ", " << block << ", " << k;
    }
  }
}

// Gate and up of 32 rows each.
TEST(Pack, PanelsOfTwoHalvesInTurn) {
  Reader reader;
  for (int i = 0; i < 64 * 3; ++i) reader.values.push_back(static_cast<float>(i + 1));
  const std::vector<uint8_t> out = Pack(R"(module "m" {
    tensor "w" : f32[64,3] {file=0, offset=0}
    %0 = weight {tensor="w", rows=[0, 32]} : f32[32,3]
    %1 = weight {tensor="w", rows=[32, 64]} : f32[32,3]
    %2 = pack %0, %1 {format="f32", layout="panels16x2", space="weights", address=0, bytes=768} : f32[64,3]{panels16x2}
    return %2
  })",
                                        reader, 768);
  constexpr int kFirstRows[] = {0, 32, 16, 48};
  for (int panel = 0; panel < 4; ++panel) {
    for (int k = 0; k < 3; ++k) {
      for (int lane = 0; lane < 16; ++lane) {
        float value = -1;
        std::memcpy(&value, &out[((panel * 3 + k) * 16 + lane) * 4], 4);
        EXPECT_EQ(value, (kFirstRows[panel] + lane) * 3 + k + 1) << panel << ", " << k;
      }
    }
  }
}

TEST(Pack, TheSameBytesForAnyNumberOfThreads) {
  Reader reader;
  const std::vector<uint8_t> random = RandomTensor(100 * 96, 5);
  reader.values.resize(100 * 96);
  std::memcpy(reader.values.data(), random.data(), random.size());
  constexpr char kText[] = R"(module "m" {
    tensor "w" : f32[100,96] {file=0, offset=0}
    %0 = weight {tensor="w"} : f32[100,96]
    %1 = pack %0 {format="q8_0", layout="panels16", space="weights", address=0, bytes=11424} : q8_0[100,96]{panels16}
    return %1
  })";
  const std::vector<uint8_t> one = Pack(kText, reader, 11424, 1);
  for (int threads : {2, 3, 8, 64}) EXPECT_EQ(Pack(kText, reader, 11424, threads), one);
}

TEST(Pack, RowsOfATransposedTensor) {
  Reader reader;
  for (int i = 0; i < 3 * 18; ++i) reader.values.push_back(static_cast<float>(i));
  const std::vector<uint8_t> out = Pack(R"(module "m" {
    tensor "w" : f32[3,18] {file=0, offset=0}
    %0 = weight {tensor="w", transposed=true, rows=[1, 18]} : f32[17,3]
    %1 = pack %0 {format="f32", layout="panels16", space="weights", address=0, bytes=384} : f32[17,3]{panels16}
    return %1
  })",
                                        reader, 384);
  for (int row = 0; row < 17; ++row) {
    for (int k = 0; k < 3; ++k) {
      float value = -1;
      std::memcpy(&value, &out[((row / 16 * 3 + k) * 16 + row % 16) * 4], 4);
      EXPECT_EQ(value, k * 18 + row + 1) << row << ", " << k;
    }
  }
}

// Pieces, each of which is given back once.
TEST(Pack, LargeWeightsGoInPieces) {
  for (const std::string layout : {"rows", "panels16"}) {
    Reader reader;
    for (int i = 0; i < 9000 * 1024; ++i) reader.values.push_back(static_cast<float>(i % 4096));
    std::vector<uint8_t> out(36896768, 0);
    const std::string panels = layout == "rows" ? "" : "{panels16}";
    const auto module = ir::Parse(absl::StrCat(
        R"(module "m" { tensor "w" : f32[9000,1024] {file=0, offset=0}
           %0 = weight {tensor="w"} : f32[9000,1024]
           %1 = pack %0 {format="f32", layout=")",
        layout, R"(", space="weights", address=0, bytes=)", layout == "rows" ? 36864000 : 36896768,
        "} : f32[9000,1024]", panels, " return %1 }"));
    ASSERT_TRUE(module.ok()) << module.status();
    std::vector<uint64_t> progress;
    uint64_t released = 0;
    PackOptions options{.threads = 2};
    options.progress = [&](uint64_t done, uint64_t total) {
      EXPECT_EQ(total, out.size());
      progress.push_back(done);
    };
    options.release = [&](absl::Span<const uint8_t> packed) {
      EXPECT_EQ(packed.data(), out.data() + released);
      released += packed.size();
    };
    ASSERT_TRUE(PackWeights(*module, reader, absl::MakeSpan(out), options).ok());
    EXPECT_EQ(progress.size(), 2U);
    EXPECT_EQ(progress.back(), released);
    EXPECT_EQ(released, layout == "rows" ? 36864000U : 36896768U);
    EXPECT_EQ(reader.released["w"], 2);
    const auto value = [&](size_t row, size_t k) {
      const size_t at = layout == "rows" ? row * 1024 + k : (row / 16 * 1024 + k) * 16 + row % 16;
      float read = -1;
      std::memcpy(&read, &out[at * 4], 4);
      return read;
    };
    for (size_t row = 0; row < 9000; row += 7)
      ASSERT_EQ(value(row, row % 1024), static_cast<float>((row * 1024 + row % 1024) % 4096));

    std::atomic<bool> cancel = false;
    int pieces = 0;
    options.progress = [&](uint64_t, uint64_t) {
      ++pieces;
      cancel = true;
    };
    options.release = nullptr;
    options.cancel = &cancel;
    EXPECT_TRUE(
        absl::IsCancelled(PackWeights(*module, reader, absl::MakeSpan(out), options).status()));
    EXPECT_EQ(pieces, 1);
  }
}

TEST(Pack, RopeTables) {
  const std::vector<uint8_t> out = Pack(R"(module "m" {
    %0 = rope_table {context=3, inv_freq=[1.0, 0.25], factor=2.0, space="weights", address=64, bytes=48} : f32[3,4]
    return %0
  })",
                                        Reader(), 112);
  float table[3][4];
  std::memcpy(table, &out[64], sizeof(table));
  for (int p = 0; p < 3; ++p) {
    EXPECT_FLOAT_EQ(table[p][0], static_cast<float>(2 * std::cos(p)));
    EXPECT_FLOAT_EQ(table[p][1], static_cast<float>(2 * std::cos(p * 0.25)));
    EXPECT_FLOAT_EQ(table[p][2], static_cast<float>(2 * std::sin(p)));
    EXPECT_FLOAT_EQ(table[p][3], static_cast<float>(2 * std::sin(p * 0.25)));
  }
}

// What is copied is what stands there, so a letter in its place shows it.
TEST(Pack, CopiesWhatWasPackedBefore) {
  Reader reader;
  for (int i = 0; i < 18 * 3; ++i) reader.values.push_back(static_cast<float>(i + 1));
  const ir::Module module = *ir::Parse(kF32);
  const std::vector<uint8_t> earlier(384, 'x');
  const PackedWeights packed(module, earlier);
  std::vector<uint8_t> out(384);
  for (int threads : {1, 4}) {
    const auto report =
        PackWeights(module, reader, absl::MakeSpan(out), {.threads = threads, .earlier = &packed});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->copied_bytes, 384);
    EXPECT_EQ(out, earlier);
  }
  EXPECT_EQ(reader.released["w"], 0);
}

TEST(Pack, IsInterrupted) {
  const std::atomic<bool> cancel = true;
  std::vector<uint8_t> out(384);
  const auto report =
      PackWeights(*ir::Parse(kF32), Reader(), absl::MakeSpan(out), {.cancel = &cancel});
  EXPECT_TRUE(absl::IsCancelled(report.status()));
}

// 40 rows of 40 columns, so that the second block ends in padding.
constexpr char kQ8[] = R"(module "m" {
  tensor "a.w" : f32[40,40] {file=0, offset=0}
  %0 = weight {tensor="a.w"} : f32[40,40]
  %1 = pack %0 {format="q8_0", layout="panels16", space="weights", address=0, bytes=3264} : q8_0[40,40]{panels16}
  return %1
})";

TEST(Pack, WhatQ8_0CannotHoldIsAnErrorThatSaysWhereAndWhatToDo) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::pair<float, std::string> cases[] = {
      {std::nanf(""), "is NaN, which q8_0 cannot hold"},
      {infinity, "is infinite, which q8_0 cannot hold"},
      {-infinity, "is infinite, which q8_0 cannot hold"},
      {-1e9F, "is -1e+09, too large for q8_0"},
      {std::numeric_limits<float>::max(), "is 3.40282e+38, too large for q8_0"}};
  for (const auto& [value, what] : cases) {
    for (int threads : {1, 4}) {
      Reader reader;
      for (int i = 0; i < 40 * 40; ++i) reader.values.push_back(static_cast<float>(i % 7 - 3));
      // Of several the one in the lowest panel is told.
      for (const size_t at : {39 * 40 + 1, 21 * 40 + 37}) reader.values[at] = value;
      std::vector<uint8_t> out(3264);
      const absl::Status status =
          PackWeights(*ir::Parse(kQ8), reader, absl::MakeSpan(out), {.threads = threads}).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      const std::string message(status.message());
      EXPECT_THAT(message, HasSubstr("tensor 'a.w': the value at [21, 37] " + what));
      EXPECT_THAT(message, HasSubstr("--weight-format 'a.w=f32'"));
    }
  }
}

// 65520 is the first number that F16 rounds to infinity.
TEST(Pack, TheLargestValueThatQ8_0Holds) {
  const float limit = 65520.0F * 127;
  Reader reader;
  reader.values.assign(40 * 40, 1);
  std::vector<uint8_t> out(3264);
  reader.values[5] = std::nextafter(limit, 0.0F);
  EXPECT_TRUE(PackWeights(*ir::Parse(kQ8), reader, absl::MakeSpan(out), {}).ok());
  reader.values[5] = limit;
  EXPECT_EQ(PackWeights(*ir::Parse(kQ8), reader, absl::MakeSpan(out), {}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(Pack, TransposedTensorsAreIndexedAsInTheFile) {
  Reader reader;
  reader.values.assign(32 * 18, 1);
  reader.values[20 * 18 + 9] = std::nanf("");
  std::vector<uint8_t> out(1088);
  const absl::Status status = PackWeights(*ir::Parse(R"(module "m" {
    tensor "w" : f32[32,18] {file=0, offset=0}
    %0 = weight {tensor="w", transposed=true, rows=[1, 18]} : f32[17,32]
    %1 = pack %0 {format="q8_0", layout="panels16", space="weights", address=0, bytes=1088} : q8_0[17,32]{panels16}
    return %1
  })"),
                                          reader, absl::MakeSpan(out), {})
                                  .status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("the value at [20, 9] is NaN"));
}

TEST(Pack, BlocksOfTheFileWithoutAScale) {
  for (const int scale : {0x7C00, 0xFC00, 0x7E01}) {
    Reader reader;
    reader.raw.assign(size_t{17} * 2 * 34, 1);
    reader.raw[(16 * 2 + 1) * 34] = static_cast<uint8_t>(scale & 0xFF);
    reader.raw[(16 * 2 + 1) * 34 + 1] = static_cast<uint8_t>(scale >> 8);
    std::vector<uint8_t> out(2176);
    const absl::Status status = PackWeights(*ir::Parse(R"(module "m" {
      tensor "w" : q8_0[17,64] {file=0, offset=0}
      %0 = weight {tensor="w"} : q8_0[17,64]
      %1 = pack %0 {format="q8_0", layout="panels16", space="weights", address=0, bytes=2176} : q8_0[17,64]{panels16}
      return %1
    })"),
                                            reader, absl::MakeSpan(out), {})
                                    .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("the value at [16, 32] begins a q8_0 block whose scale is infinite"));
  }
}

TEST(Pack, ReadErrorsNameTheWeight) {
  Reader reader;
  reader.fail = true;
  std::vector<uint8_t> out(384);
  for (int threads : {1, 4}) {
    const auto report =
        PackWeights(*ir::Parse(kF32), reader, absl::MakeSpan(out), {.threads = threads});
    EXPECT_THAT(report.status().ToString(), HasSubstr("disk on fire"));
  }
}

}  // namespace
}  // namespace weft::codegen
