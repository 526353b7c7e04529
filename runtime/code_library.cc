#include "runtime/code_library.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/abi/step_symbol.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/cache_folder.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/posix_error.h"
#include "runtime/plan/checksum.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// Some hundred kilobytes each. What was used longest ago makes room.
constexpr size_t kMaxFiles = 64;

void RemoveOldFiles(const std::string& folder) {
  std::error_code ignored;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (fs::directory_iterator it(folder, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    std::error_code gone;
    const fs::file_time_type time = it->last_write_time(gone);
    if (!gone && it->path().extension() == ".so") files.emplace_back(time, it->path());
  }
  if (files.size() <= kMaxFiles) return;
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size() - kMaxFiles; ++i) fs::remove(files[i].second, ignored);
}

bool Holds(const std::string& path, absl::Span<const uint8_t> image) {
  const auto file = MappedFile::Open(path, /*guarded=*/true);
  return file.ok() && (*file)->bytes() == image;
}

// A file in `folder` with these bytes; empty where there can be none.
std::string FileOf(absl::Span<const uint8_t> image, const std::string& folder) {
  if (folder.empty()) return "";
  if (!MakePrivateFolder(folder).ok()) return "";
  std::string path = absl::StrCat(folder, "/", absl::Hex(Checksum::Of(image), absl::kZeroPad16),
                                  "-", absl::Hex(image.size()), ".so");
  if (Holds(path, image)) {
    std::error_code error;
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);  // for RemoveOldFiles
    return path;
  }
  auto writer = AtomicFileWriter::Create(path);
  if (!writer.ok() || !(*writer)->Append(image).ok() || !(*writer)->Commit().ok()) return "";
  RemoveOldFiles(folder);
  return path;
}

absl::StatusOr<int> MemoryFile(absl::Span<const uint8_t> image) {
  const int fd = memfd_create("weft-kernels", MFD_CLOEXEC);
  if (fd < 0) return PosixError(errno, "memory for machine code", "write");
  absl::Cleanup close_fd = [fd] { close(fd); };
  for (size_t done = 0; done < image.size();) {
    const ssize_t count = write(fd, image.data() + done, image.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return PosixError(errno, "memory for machine code", "write");
    done += static_cast<size_t>(count);
  }
  std::move(close_fd).Cancel();
  return fd;
}

void* Open(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }

}  // namespace

absl::StatusOr<std::unique_ptr<CodeLibrary>> CodeLibrary::Load(absl::Span<const uint8_t> image,
                                                               const std::string& folder) {
  std::string from_file =
      folder.empty() ? "there is no cache folder" : absl::StrCat("no file can be kept in ", folder);
  if (std::string path = FileOf(image, folder); !path.empty()) {
    if (void* handle = Open(path); handle != nullptr)
      return std::unique_ptr<CodeLibrary>(new CodeLibrary(handle, -1, std::move(path)));
    from_file = dlerror();
  }
  std::string from_memory;
  const absl::StatusOr<int> fd = MemoryFile(image);
  if (fd.ok()) {
    std::string path = absl::StrCat("/proc/self/fd/", *fd);
    if (void* handle = Open(path); handle != nullptr)
      return std::unique_ptr<CodeLibrary>(new CodeLibrary(handle, *fd, std::move(path)));
    from_memory = dlerror();
    close(*fd);
  } else {
    from_memory = std::string(fd.status().message());
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot load machine code, neither from a file (", from_file, ") nor from memory (",
      from_memory,
      "); set XDG_CACHE_HOME to a folder of yours on a file system that is not mounted noexec"));
}

CodeLibrary::~CodeLibrary() {
  dlclose(handle_);
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::vector<KernelFn>> CodeLibrary::KernelsOf(const Program& program) const {
  std::vector<KernelFn> kernels;
  kernels.reserve(program.steps.size());
  for (const Step& step : program.steps) {
    const std::string name = StepSymbol(step, kernels.size());
    void* const symbol = dlsym(handle_, name.c_str());
    if (symbol == nullptr)
      return absl::DataLossError(absl::StrCat("the machine code does not define '", name, "'"));
    kernels.push_back(reinterpret_cast<KernelFn>(symbol));
  }
  return kernels;
}

std::string CodeFolder() {
  const std::string cache = WeftCacheFolder();
  return cache.empty() ? "" : cache + "/code";
}

}  // namespace weft
