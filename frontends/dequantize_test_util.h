// The oracle's block formats for the tests of the dequantize_*.cc files.
#pragma once

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "frontends/dequantize.h"
#include "frontends/safetensors.h"

namespace weft {

// Dequantises "<oracle_name>.raw" of tests/oracle/vectors/dequant.safetensors (random blocks, read
// by the gguf package: see make_vectors.py there) and expects "<oracle_name>.f32" bit for bit, from
// an odd address too.
inline void ExpectOracle(DataType type, const std::string& oracle_name) {
  SCOPED_TRACE(oracle_name);
  const auto file = MappedFile::Open("tests/oracle/vectors/dequant.safetensors");
  ASSERT_TRUE(file.ok()) << file.status();
  auto entries = ParseSafetensorsHeader((*file)->bytes(), "dequant.safetensors", 0);
  ASSERT_TRUE(entries.ok()) << entries.status();
  const auto vectors = TensorFiles::Create({*file}, *std::move(entries));
  ASSERT_TRUE(vectors.ok()) << vectors.status();
  const TensorEntry* raw = vectors->Find(absl::StrCat(oracle_name, ".raw"));
  const TensorEntry* f32 = vectors->Find(absl::StrCat(oracle_name, ".f32"));
  ASSERT_TRUE(raw != nullptr && f32 != nullptr);
  ASSERT_EQ(raw->dims[0], 16);
  ASSERT_EQ(raw->dims[1], GetInfo(type).block_bytes);
  ASSERT_EQ(f32->dims[1], GetInfo(type).block_values);

  std::vector<uint32_t> expected(f32->bytes / sizeof(uint32_t));
  std::memcpy(expected.data(), vectors->Bytes(*f32).data(), f32->bytes);
  for (const size_t shift : {0, 1}) {
    std::vector<uint8_t> blocks(shift + raw->bytes);
    std::memcpy(blocks.data() + shift, vectors->Bytes(*raw).data(), raw->bytes);
    std::vector<float> values(expected.size());
    ASSERT_TRUE(CanDequantize(type));
    Dequantize(type, blocks.data() + shift, static_cast<int64_t>(values.size()), values.data());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), expected[i])
          << "value " << i << ": " << values[i] << ", expected "
          << std::bit_cast<float>(expected[i]);
    }
  }
}

}  // namespace weft
