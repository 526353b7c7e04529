// One HTTP request at a time over libcurl, without redirects and without retries: both are decided
// by the caller, who knows which host may see the token.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/options.h"

namespace weft {

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last one wins
  std::string body;  // empty where a sink took it; of other answers than 2xx the first 4 KiB

  // The value, or empty.
  absl::string_view Header(const std::string& lower_case_name) const;
  bool IsSuccess() const { return status >= 200 && status < 300; }
  bool IsRedirect() const;
};

struct HttpRequest {
  std::string url;
  bool head = false;
  std::vector<std::string> headers;  // "Name: value"
  // Set: takes the body of a 2xx answer as it arrives (the response holds status and headers by
  // then) and the stall timeout applies; an error ends the request and is returned. Not set: the
  // body is kept, at most `max_body` bytes, and the metadata timeout applies to the whole.
  std::function<absl::Status(const HttpResponse&, absl::string_view)> sink;
  size_t max_body = 32 << 20;
};

class HttpClient {
 public:
  explicit HttpClient(const HttpLimits& limits);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Whatever status the server gives is an answer, not an error. Errors: Unavailable for what may
  // pass (no connection, dropped, stalled), FailedPrecondition for what will not (bad certificate,
  // unusable URL), the sink's own. Only http and https.
  absl::StatusOr<HttpResponse> Perform(const HttpRequest& request);

 private:
  HttpLimits limits_;
  void* curl_;  // CURL*
};

// The URL that a Location header means, relative ones included; InvalidArgument unless it is http
// or https.
absl::StatusOr<std::string> ResolveUrl(const std::string& base, absl::string_view location);
// "https://host:443": what decides whether two URLs speak to the same server. Empty if it is no
// URL.
std::string UrlOrigin(const std::string& url);
// Without user, password, query and fragment, which hold secrets: signatures, in a redirect.
std::string UrlForMessage(absl::string_view url);
// Percent-encodes everything but unreserved characters and '/'.
std::string EscapeUrlPath(absl::string_view path);
// The printable ASCII of `text`, cut at 300 characters: what a server says may be shown, not obeyed
// by the terminal.
std::string Printable(absl::string_view text);

}  // namespace weft
