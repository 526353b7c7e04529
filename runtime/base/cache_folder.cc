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

absl::Status CheckPrivateFolder(const std::string& folder) {
  struct stat info = {};
  if (stat(folder.c_str(), &info) != 0) return PosixError(errno, folder, "look at the folder");
  if (!S_ISDIR(info.st_mode)) return PosixError(ENOTDIR, folder, "use the folder");
  if (info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(folder, ": others may write to this folder; make it yours alone (chmod 700)"));
  }
  return absl::OkStatus();
}

absl::Status MakePrivateFolder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  const bool made = fs::create_directories(folder, error);
  if (error) return PosixError(error.value(), folder, "create the folder");
  if (made) fs::permissions(folder, fs::perms::owner_all, error);
  return CheckPrivateFolder(folder);
}

}  // namespace weft
