// Where this user's caches are.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>

namespace weft {

// Answers the value of a variable or null, as std::getenv does.
using GetEnv = std::function<const char*(const char*)>;
GetEnv ProcessEnvironment();

// The value; empty where the variable is not set.
std::string ValueOf(const GetEnv& get_env, const char* name);

// "~" and "~/x" with $HOME for "~", where that is set; else the path as it is.
std::string ExpandHome(std::string path, const GetEnv& get_env);

// $XDG_CACHE_HOME, "~" expanded, else ~/.cache; empty where neither variable is set.
// https://specifications.freedesktop.org/basedir-spec/latest/
std::string UserCacheFolder(const GetEnv& get_env = ProcessEnvironment());

// "weft" in UserCacheFolder(); empty where there is none. It need not exist.
std::string WeftCacheFolder(const GetEnv& get_env = ProcessEnvironment());

// An error where there is no such folder or another user can put a file of his into it: what lies
// in caches is run.
absl::Status CheckPrivateFolder(const std::string& folder);

// Makes the folder and its parents where need be, for the user alone whatever the umask; then as
// CheckPrivateFolder.
absl::Status MakePrivateFolder(const std::string& folder);

// A file that only this user can have written: his own, writable for nobody else, in a folder that
// passes CheckPrivateFolder. As ReadRegularFile otherwise.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, uint64_t max_bytes);

}  // namespace weft
