#include "runtime/base/posix_error.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <cerrno>
#include <system_error>

namespace weft {
namespace {

absl::string_view Hint(int error_number) {
  switch (error_number) {
    case ENOENT:
      return " (check the path)";
    case EACCES:
    case EPERM:
      return " (check the permissions of the file and its folder)";
    case ENOSPC:
    case EDQUOT:
      return " (free some space or use another folder)";
    case EFBIG:
      return " (the file system or a ulimit does not allow a file this large)";
    case EROFS:
      return " (use a folder that can be written)";
    case EIO:
      return " (the device reports a fault; the kernel's log says more)";
    case EMFILE:
    case ENFILE:
      return " (too many open files; raise the ulimit)";
    case ENOMEM:
      return " (not enough memory or address space; check ulimit -v)";
    default:
      return "";
  }
}

}  // namespace

absl::Status PosixError(int error_number, absl::string_view path, absl::string_view action) {
  return absl::Status(
      absl::ErrnoToStatusCode(error_number),
      absl::StrCat(path, ": cannot ", action, ": ", std::generic_category().message(error_number),
                   Hint(error_number)));
}

bool MeansAbsent(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

}  // namespace weft
