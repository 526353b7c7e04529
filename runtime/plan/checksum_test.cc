#include "runtime/plan/checksum.h"

#include <gtest/gtest.h>

#include <vector>

namespace weft {
namespace {

uint64_t OfText(absl::string_view text) {
  return Checksum::Of(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

TEST(Checksum, KnownValues) {  // as xxhsum -H3 prints them
  EXPECT_EQ(OfText(""), 0x2d06800538d394c2u);
  EXPECT_EQ(OfText("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(OfText("abc"), 0x78af5f94892f3950u);
}

TEST(Checksum, PiecesDoNotMatter) {
  std::vector<uint8_t> bytes(3000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i >> 3);
  for (const size_t piece : {1u, 7u, 256u, 1024u, 3000u}) {
    Checksum checksum;
    for (size_t i = 0; i < bytes.size(); i += piece) {
      checksum.Add(absl::MakeConstSpan(bytes).subspan(i, piece));
    }
    checksum.Add({});
    EXPECT_EQ(checksum.Value(), Checksum::Of(bytes)) << piece;
  }
}

}  // namespace
}  // namespace weft
