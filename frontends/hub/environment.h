// The environment variables that place the caches and name the hub, read as huggingface_hub reads
// them: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/cache_folder.h"

namespace weft {

struct HubEnvironment {
  std::string endpoint;    // HF_ENDPOINT, else https://huggingface.co; without a trailing slash
  std::string hub_cache;   // HF_HUB_CACHE, else $HF_HOME/hub; holds the models--org--name folders
  std::string weft_cache;  // WeftCacheFolder()
  std::string token;       // HF_TOKEN, else the file HF_TOKEN_PATH or $HF_HOME/token; empty: none
  bool offline = false;    // HF_HUB_OFFLINE is 1, ON, YES or TRUE
  // HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, in seconds: how long to wait for metadata, and
  // for a download that does not get on. Unset: HttpLimits'.
  std::optional<std::chrono::milliseconds> metadata_timeout;
  std::optional<std::chrono::milliseconds> stall_timeout;
};

// InvalidArgument for an endpoint that is no http(s) URL, a token that cannot stand in a header or
// a timeout that is no number of seconds from 0.001 to 86400; FailedPrecondition where neither HOME
// nor the cache variables are set.
absl::StatusOr<HubEnvironment> ReadHubEnvironment();
absl::StatusOr<HubEnvironment> ReadHubEnvironment(const GetEnv& get_env);

}  // namespace weft
