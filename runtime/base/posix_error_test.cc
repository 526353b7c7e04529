#include "runtime/base/posix_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace weft {
namespace {

TEST(PosixError, SaysWhatToDo) {
  const absl::Status status = PosixError(ENOSPC, "/x/model.weft", "write");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(),
            "/x/model.weft: cannot write: No space left on device (free some space or use another "
            "folder)");
  EXPECT_EQ(PosixError(ENOENT, "a", "open").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PosixError(EACCES, "a", "open").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(PosixError(ELOOP, "a", "open").message(),
            "a: cannot open: Too many levels of symbolic links");
}

TEST(PosixError, AbsenceIsNoOtherError) {
  for (const int error : {ENOENT, ENOTDIR}) EXPECT_TRUE(MeansAbsent(error)) << error;
  for (const int error : {0, EIO, EACCES, ELOOP, EMFILE}) EXPECT_FALSE(MeansAbsent(error)) << error;
}

}  // namespace
}  // namespace weft
