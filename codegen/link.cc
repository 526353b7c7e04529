#include "codegen/link.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/read_file.h"

LLD_HAS_DRIVER(elf)

namespace weft::codegen {
namespace {

// Machine code of one model: hundreds of kilobytes.
constexpr uint64_t kMaxBytes = uint64_t{1} << 30;

absl::Status Write(const std::string& path, absl::Span<const uint8_t> bytes) {
  auto writer = AtomicFileWriter::Create(path);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Append(bytes); !status.ok()) return status;
  return (*writer)->Commit();
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> LinkSharedObject(absl::Span<const uint8_t> objects) {
  std::error_code error;
  std::string folder = (std::filesystem::temp_directory_path(error) / "weft-link-XXXXXX").string();
  if (error || mkdtemp(folder.data()) == nullptr)
    return PosixError(error ? error.value() : errno, folder, "create a temporary folder");
  const absl::Cleanup remove = [&folder] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  };
  const std::string input = absl::StrCat(folder, "/kernels");
  const std::string output = absl::StrCat(folder, "/kernels.so");
  if (absl::Status status = Write(input, objects); !status.ok()) return status;

  // -Bsymbolic: kernels that bear the same name in another plan are never taken instead.
  const std::vector<const char*> arguments = {"ld.lld",
                                              "-shared",
                                              "-Bsymbolic",
                                              "--build-id=sha1",
                                              "--eh-frame-hdr",
                                              "--hash-style=gnu",
                                              "--threads=1",
                                              "-z",
                                              "relro",
                                              "-z",
                                              "now",
                                              "-z",
                                              "noexecstack",
                                              "--whole-archive",
                                              input.c_str(),
                                              "-o",
                                              output.c_str()};
  std::string messages;
  llvm::raw_string_ostream out(messages);
  {
    static std::mutex one_at_a_time;  // lld keeps its state in globals
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    const lld::Result result = lld::lldMain(arguments, out, out, {{lld::Gnu, &lld::elf::link}});
    if (result.retCode != 0)
      return absl::InternalError(absl::StrCat("cannot link kernels: ", out.str()));
  }
  const absl::StatusOr<std::string> bytes = ReadFileToString(output, kMaxBytes);
  if (!bytes.ok()) return bytes.status();
  return std::vector<uint8_t>(bytes->begin(), bytes->end());
}

}  // namespace weft::codegen
