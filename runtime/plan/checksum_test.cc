#include "runtime/plan/checksum.h"

#include <gtest/gtest.h>

#include <vector>

namespace weft {
namespace {

TEST(Checksum, KnownValues) {  // as xxhsum -H3 prints them
  EXPECT_EQ(Checksum::Of(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Checksum::Of("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(Checksum::Of("abc"), 0x78af5f94892f3950u);
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
