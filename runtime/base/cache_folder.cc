#include "runtime/base/cache_folder.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "runtime/base/posix_error.h"
#include "runtime/base/read_file.h"

namespace weft {

GetEnv ProcessEnvironment() {
  return [](const char* name) { return std::getenv(name); };
}

std::string ValueOf(const GetEnv& get_env, const char* name) {
  const char* value = get_env(name);
  return value == nullptr ? "" : value;
}

std::string ExpandHome(std::string path, const GetEnv& get_env) {
  const std::string home = ValueOf(get_env, "HOME");
  if (home.empty() || (path != "~" && !absl::StartsWith(path, "~/"))) return path;
  return home + path.substr(1);
}

std::string UserCacheFolder(const GetEnv& get_env) {
  std::string set = ExpandHome(ValueOf(get_env, "XDG_CACHE_HOME"), get_env);
  if (!set.empty()) return set;
  const std::string home = ValueOf(get_env, "HOME");
  return home.empty() ? "" : home + "/.cache";
}

std::string WeftCacheFolder(const GetEnv& get_env) {
  const std::string cache = UserCacheFolder(get_env);
  return cache.empty() ? "" : cache + "/weft";
}

namespace {

bool OthersMayWrite(const struct stat& info) {
  return info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

}  // namespace

absl::Status CheckPrivateFolder(const std::string& folder) {
  struct stat info = {};
  if (stat(folder.c_str(), &info) != 0) return PosixError(errno, folder, "look at the folder");
  if (!S_ISDIR(info.st_mode)) return PosixError(ENOTDIR, folder, "use the folder");
  if (OthersMayWrite(info)) {
    return absl::PermissionDeniedError(
        absl::StrCat(folder, ": others may write to this folder; make it yours alone (chmod 700)"));
  }
  return absl::OkStatus();
}

absl::Status MakePrivateFolder(const std::string& folder) {
  namespace fs = std::filesystem;
  fs::path path;
  for (const fs::path& part : fs::path(folder)) {
    path /= part;
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) continue;
    if (mkdir(path.c_str(), S_IRWXU) == 0) continue;
    const int error = errno;
    // Another process may have been faster.
    if (!fs::is_directory(path, ignored))
      return PosixError(error == EEXIST ? ENOTDIR : error, folder, "create the folder");
  }
  return CheckPrivateFolder(folder);
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, uint64_t max_bytes) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (absl::Status status = CheckPrivateFolder(folder); !status.ok()) return status;
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return PosixError(errno, path, "look at it");
  if (OthersMayWrite(info)) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": others may write to this file, or have written it"));
  }
  return ReadRegularFile(path, max_bytes);
}

}  // namespace weft
