#include "frontends/hub/environment.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "frontends/hub/http_client.h"
#include "runtime/base/read_file.h"

namespace weft {
namespace {

constexpr size_t kMaxTokenFile = 4096;  // a token is about 40 characters

bool IsTrue(absl::string_view value) {
  std::string upper = absl::AsciiStrToUpper(value);
  return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

// A header value: no spaces, no control characters, no line ends.
bool CanStandInHeader(absl::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Nothing where the variable is not set.
absl::StatusOr<std::optional<std::chrono::milliseconds>> ReadTimeout(const GetEnv& get_env,
                                                                     const char* variable) {
  const std::string text = ValueOf(get_env, variable);
  if (text.empty()) return std::nullopt;
  constexpr double kDay = 86400;
  double seconds = 0;
  if (!absl::SimpleAtod(text, &seconds) || !(seconds >= 0.001 && seconds <= kDay)) {
    return absl::InvalidArgumentError(absl::StrCat(
        variable, " is '", text, "': expected a number of seconds from 0.001 to 86400"));
  }
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

}  // namespace

absl::StatusOr<HubEnvironment> ReadHubEnvironment() {
  return ReadHubEnvironment(ProcessEnvironment());
}

absl::StatusOr<HubEnvironment> ReadHubEnvironment(const GetEnv& get_env) {
  auto path_of = [&](const char* variable, const std::string& base, absl::string_view suffix) {
    std::string set = ExpandHome(ValueOf(get_env, variable), get_env);
    if (!set.empty()) return set;
    return base.empty() ? std::string() : absl::StrCat(base, suffix);
  };
  HubEnvironment environment;
  const std::string hf_home = path_of("HF_HOME", UserCacheFolder(get_env), "/huggingface");
  environment.hub_cache = path_of("HF_HUB_CACHE", hf_home, "/hub");
  environment.weft_cache = WeftCacheFolder(get_env);
  if (environment.hub_cache.empty() || environment.weft_cache.empty()) {
    return absl::FailedPreconditionError(
        "cannot tell where downloaded models are kept: set HOME or XDG_CACHE_HOME");
  }

  environment.endpoint = ValueOf(get_env, "HF_ENDPOINT");
  while (absl::EndsWith(environment.endpoint, "/")) environment.endpoint.pop_back();
  if (environment.endpoint.empty()) environment.endpoint = "https://huggingface.co";
  if (!absl::StartsWith(environment.endpoint, "https://") &&
      !absl::StartsWith(environment.endpoint, "http://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("HF_ENDPOINT is '", UrlForMessage(environment.endpoint),
                     "': expected a URL such as https://huggingface.co"));
  }

  environment.token = std::string(absl::StripAsciiWhitespace(ValueOf(get_env, "HF_TOKEN")));
  std::string token_source = "HF_TOKEN";
  if (environment.token.empty()) {
    token_source = path_of("HF_TOKEN_PATH", hf_home, "/token");
    // No token file is the normal case, and an unreadable one must not stop the download of a
    // public model.
    if (auto text = ReadFileToString(token_source, kMaxTokenFile); text.ok()) {
      environment.token = std::string(absl::StripAsciiWhitespace(*text));
    }
  }
  if (!CanStandInHeader(environment.token)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the token in ", token_source, " holds spaces or control characters"));
  }
  auto metadata_timeout = ReadTimeout(get_env, "HF_HUB_ETAG_TIMEOUT");
  if (!metadata_timeout.ok()) return metadata_timeout.status();
  environment.metadata_timeout = *metadata_timeout;
  auto stall_timeout = ReadTimeout(get_env, "HF_HUB_DOWNLOAD_TIMEOUT");
  if (!stall_timeout.ok()) return stall_timeout.status();
  environment.stall_timeout = *stall_timeout;
  environment.offline = IsTrue(ValueOf(get_env, "HF_HUB_OFFLINE"));
  return environment;
}

}  // namespace weft
