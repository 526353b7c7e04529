// What weft asks of the hub: the files of a repository at a commit, and their bytes. Follows
// redirects itself, so that the token goes to the endpoint's own origin and nowhere else, and tries
// again what is transient. Protocol: https://huggingface.co/docs/hub/api and huggingface_hub's
// file_download.py (headers X-Repo-Commit, X-Linked-Etag, X-Linked-Size, X-Error-Code).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "frontends/hub/environment.h"
#include "frontends/hub/http_client.h"
#include "frontends/hub/options.h"

namespace weft {

struct HubRepo {
  std::string commit;                     // 40 hex digits
  std::vector<std::string> files;         // as the server names them: unchecked
  std::map<std::string, uint64_t> sizes;  // of those whose size it tells
  // Likewise, as DigestKindOf knows them. A mirror that hands on what the hub says of its files may
  // have ETags of its own.
  std::map<std::string, std::string> digests;
};

struct HubFile {
  std::string etag;              // a plain name; a sha256 or git blob sha1 as a rule
  std::optional<uint64_t> size;  // bytes
};

// Errors of all calls: PermissionDenied (401, 403: what to do is in the message), NotFound,
// Unavailable (unreachable, or transient errors that did not pass), ResourceExhausted, DataLoss,
// InvalidArgument for an answer that makes no sense.
class HubClient {
 public:
  HubClient(const HubEnvironment& environment, const HttpLimits& limits);

  absl::StatusOr<HubRepo> Repo(const std::string& id);
  absl::StatusOr<HubFile> FileInfo(const std::string& id, const std::string& commit,
                                   const std::string& file);
  // Downloads to `partial`, going on from the bytes it already has, and checks size and digest. On
  // success the complete file has been renamed to `blob`. A dropped connection or full disk leaves
  // `partial` for the next try; a wrong digest removes it. `progress(done, total)` is called now
  // and then and at the end.
  absl::Status Download(const std::string& id, const std::string& commit, const std::string& file,
                        const HubFile& info, const std::string& partial, const std::string& blob,
                        const std::function<void(uint64_t, uint64_t)>& progress);

 private:
  struct Body;  // the open partial file and what has arrived

  // One request per hop; stops at the first answer that is no redirect, or where `stop` says so.
  absl::StatusOr<HttpResponse> Follow(HttpRequest request,
                                      const std::function<bool(const HttpResponse&)>& stop);
  // Follow, tried again while errors are transient.
  absl::StatusOr<HttpResponse> Ask(const HttpRequest& request,
                                   const std::function<bool(const HttpResponse&)>& stop);
  // False once the tries are used up; waits otherwise.
  bool WaitBeforeRetry(int attempt, const absl::Status& status) const;
  absl::Status DownloadOnce(const std::string& url, const std::string& id, Body& body);
  absl::Status DownloadRest(const std::string& url, const std::string& id, Body& body);
  absl::Status ErrorOf(const HttpResponse& response, const std::string& id,
                       const std::string& url) const;
  std::string FileUrl(const std::string& id, const std::string& commit,
                      const std::string& file) const;

  std::string endpoint_;
  std::string origin_;
  std::string token_;
  HttpLimits limits_;
  HttpClient http_;
  // Until the hub has answered once, a failed connection is final: whoever cannot reach it should
  // learn that within one connect timeout, not after several.
  bool reached_ = false;
};

}  // namespace weft
