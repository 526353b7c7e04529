#include "frontends/hub/file_digest.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/http/fake_hub.h"

namespace weft {
namespace {

TEST(FileDigestTest, EtagsAreRecognisedByTheirForm) {
  EXPECT_EQ(DigestKindOf(std::string(64, 'a')), DigestKind::kSha256);
  EXPECT_EQ(DigestKindOf(std::string(40, '0')), DigestKind::kGitBlobSha1);
  EXPECT_EQ(DigestKindOf(std::string(40, 'A')), DigestKind::kNone);
  EXPECT_EQ(DigestKindOf(std::string(41, 'a')), DigestKind::kNone);
  EXPECT_EQ(DigestKindOf(""), DigestKind::kNone);
}

TEST(FileDigestTest, KnownAnswers) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  WriteWholeFile(path, "abc");
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(FileDigest(path, DigestKind::kSha256).value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  WriteWholeFile(path, "hello\n");
  // `echo hello | git hash-object --stdin`
  EXPECT_EQ(FileDigest(path, DigestKind::kGitBlobSha1).value(),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  WriteWholeFile(path, "");
  EXPECT_EQ(FileDigest(path, DigestKind::kGitBlobSha1).value(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  WriteWholeFile(path, std::string(1'000'000, 'a'));
  // FIPS 180-2, appendix B.3.
  EXPECT_EQ(FileDigest(path, DigestKind::kSha256).value(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  WriteWholeFile(path, std::string(3 << 20, 'a'));  // more than one buffer
  // `head -c 3145728 /dev/zero | tr '\0' a | sha256sum`
  EXPECT_EQ(FileDigest(path, DigestKind::kSha256).value(),
            "6f850bc94ae6f7de14297c01616c36d712d22864497b28a63b81d776b035e656");
}

TEST(FileDigestTest, OfBytesInMemory) {
  const std::string text = "abc";
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  EXPECT_EQ(Sha256({bytes, 3}).value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // `printf '' | sha256sum`
  EXPECT_EQ(Sha256({}).value(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(FileDigestTest, MissingFileIsNamed) {
  EXPECT_EQ(FileDigest("/nowhere/f", DigestKind::kSha256).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace weft
