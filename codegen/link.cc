#include "codegen/link.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

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

constexpr char kPrefix[] = "weft-link-";

// Whom a signal ends leaves its folder behind. Who uses one holds a lock on it from shortly after
// it was made.
void RemoveAbandoned(const std::filesystem::path& parent) {
  namespace fs = std::filesystem;
  constexpr time_t kShortly = 60;
  std::error_code ignored;
  for (fs::directory_iterator it(parent, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    if (!it->path().filename().string().starts_with(kPrefix)) continue;
    const int folder = open(it->path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) continue;
    const absl::Cleanup close_folder = [folder] { close(folder); };
    struct stat info = {};
    if (fstat(folder, &info) != 0 || info.st_uid != geteuid() ||
        info.st_mtime > time(nullptr) - kShortly || flock(folder, LOCK_EX | LOCK_NB) != 0)
      continue;
    std::error_code kept;
    fs::remove_all(it->path(), kept);
  }
}

// In $TMPDIR, or /tmp where that is no folder that can be written to.
absl::StatusOr<std::string> MakeTemporaryFolder() {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path parent = fs::temp_directory_path(error);
  if (error) parent = "/tmp";
  int failure = 0;  // the first: of the folder that was asked for
  for (const fs::path& path : {parent, fs::path("/tmp")}) {
    RemoveAbandoned(path);
    std::string folder = (path / absl::StrCat(kPrefix, "XXXXXX")).string();
    if (mkdtemp(folder.data()) != nullptr) return folder;
    if (failure == 0) failure = errno;
  }
  const absl::Status status = PosixError(failure, parent.string(), "create a folder in it");
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "; set TMPDIR to one that can be written to"));
}

// Once a process, and for good, LLVM takes over the signals that end one, when it first makes a
// file that such an end would leave behind, as lld does. A signal then finds the default in place
// of what was there before for as long as LLVM takes to put that back: of two threads that meet a
// truncated file at once, one would end the process. So it makes itself known here, and is
// overruled; who handles signals in this process, and what an interruption leaves, is decided
// elsewhere. So it goes with the handlers that lld's way back from a fatal error takes: without
// Enable(), such an error ends the process without a word.
void KeepHandlersOfSignals() {
  static const bool done = [] {
    std::array<struct sigaction, NSIG> before = {};
    for (int signal = 1; signal < NSIG; ++signal)
      (void)sigaction(signal, nullptr, &before[static_cast<size_t>(signal)]);
    const char no_file[] = "/nonexistent/weft-link";
    llvm::sys::RemoveFileOnSignal(no_file);
    llvm::sys::DontRemoveFileOnSignal(no_file);
    llvm::CrashRecoveryContext::Enable();
    for (int signal = 1; signal < NSIG; ++signal)
      (void)sigaction(signal, &before[static_cast<size_t>(signal)], nullptr);
    return true;
  }();
  (void)done;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> LinkSharedObject(absl::Span<const uint8_t> objects) {
  WEFT_ASSIGN_OR_RETURN(const std::string folder, MakeTemporaryFolder());
  const int in_use = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (in_use >= 0) (void)flock(in_use, LOCK_EX);
  const absl::Cleanup remove = [&folder, in_use] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (in_use >= 0) close(in_use);
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
    KeepHandlersOfSignals();
    static bool can_run_again = true;  // after a fatal error, the globals are as that left them
    if (!can_run_again)
      return absl::InternalError("cannot link kernels: the linker failed before in this process");
    const lld::Result result = lld::lldMain(arguments, out, out, {{lld::Gnu, &lld::elf::link}});
    can_run_again = result.canRunAgain;
    if (result.retCode != 0)
      return absl::InternalError(absl::StrCat("cannot link kernels: ", out.str()));
  }
  const absl::StatusOr<std::string> bytes = ReadFileToString(output, kMaxBytes);
  if (!bytes.ok()) return bytes.status();
  return std::vector<uint8_t>(bytes->begin(), bytes->end());
}

}  // namespace weft::codegen
