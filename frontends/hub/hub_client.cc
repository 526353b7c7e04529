#include "frontends/hub/hub_client.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "frontends/hub/file_digest.h"
#include "frontends/hub/file_io.h"
#include "frontends/hub/model_name.h"
#include "runtime/base/json_reader.h"

namespace weft {
namespace {

// Bound for a file of unannounced size: only small ones come so; the largest tokenizer.json are
// about 35 MB.
constexpr uint64_t kMaxUnannounced = 256 << 20;
// A try that brought so much more than any before counts as progress: the tries start anew.
constexpr uint64_t kProgressBytes = 1 << 20;
constexpr std::chrono::milliseconds kReportInterval{50};

bool IsTransient(int status) { return status == 408 || status == 429 || status >= 500; }

std::optional<uint64_t> ParseSize(absl::string_view text) {
  uint64_t value = 0;
  // ftruncate and pread take signed offsets.
  if (!absl::SimpleAtoi(text, &value) || value > INT64_MAX) return std::nullopt;
  return value;
}

// W/"abc" and "abc" → abc
std::string PlainEtag(absl::string_view etag) {
  absl::ConsumePrefix(&etag, "W/");
  absl::ConsumePrefix(&etag, "\"");
  absl::ConsumeSuffix(&etag, "\"");
  return std::string(etag);
}

// The digest that the list of a repository gives for a file, or empty: "lfs.sha256" of one in
// large-file storage, of which git has a pointer alone, else "blobId".
std::string ListedDigest(const nlohmann::json& sibling) {
  const auto text = [](const nlohmann::json& object, const char* key, DigestKind kind) {
    const auto value = object.find(key);
    if (value == object.end() || !value->is_string()) return std::string();
    auto digest = value->get<std::string>();
    return DigestKindOf(digest) == kind ? digest : std::string();
  };
  const auto lfs = sibling.find("lfs");
  if (lfs == sibling.end() || lfs->is_null())
    return text(sibling, "blobId", DigestKind::kGitBlobSha1);
  return lfs->is_object() ? text(*lfs, "sha256", DigestKind::kSha256) : std::string();
}

// The first byte of "bytes 5-9/10".
std::optional<uint64_t> RangeStart(absl::string_view content_range) {
  if (!absl::ConsumePrefix(&content_range, "bytes ")) return std::nullopt;
  return ParseSize(content_range.substr(0, content_range.find('-')));
}

}  // namespace

struct HubClient::Body {
  std::string file;  // for messages
  std::string partial;
  UniqueFd fd;
  std::optional<uint64_t> announced;
  uint64_t done = 0;
  const std::function<void(uint64_t, uint64_t)>* progress = nullptr;
  std::chrono::steady_clock::time_point reported;

  absl::Status Restart() {
    done = 0;
    return Truncate(fd.get(), 0, partial);
  }

  absl::Status Append(absl::string_view bytes) {
    const uint64_t limit = announced.value_or(kMaxUnannounced);
    if (bytes.size() > limit - done) {
      return absl::DataLossError(absl::StrCat(file, ": the server sends more than the ", limit,
                                              announced ? " bytes it announced" : " bytes allowed",
                                              ": refused"));
    }
    absl::Status status = WriteAll(fd.get(), bytes, partial);
    if (!status.ok()) return status;
    done += bytes.size();
    auto now = std::chrono::steady_clock::now();
    if (now - reported >= kReportInterval &&
        done != announced) {  // the end is reported once checked
      reported = now;
      Report();
    }
    return absl::OkStatus();
  }

  void Report() const {
    if (*progress) (*progress)(done, announced.value_or(0));
  }
};

HubClient::HubClient(const HubEnvironment& environment, const HttpLimits& limits)
    : endpoint_(environment.endpoint),
      origin_(UrlOrigin(environment.endpoint)),
      token_(environment.token),
      limits_(limits),
      http_(limits) {}

std::string HubClient::FileUrl(const std::string& id, const std::string& commit,
                               const std::string& file) const {
  return absl::StrCat(endpoint_, "/", id, "/resolve/", commit, "/", EscapeUrlPath(file));
}

absl::Status HubClient::ErrorOf(const HttpResponse& response, const std::string& id,
                                const std::string& url) const {
  std::string said = Printable(response.Header("x-error-message"));
  std::string text = absl::StrCat(UrlForMessage(url), ": HTTP ", response.status,
                                  said.empty() ? "" : absl::StrCat(" (", said, ")"));
  absl::string_view code = response.Header("x-error-code");
  if (code == "GatedRepo") {
    return absl::PermissionDeniedError(
        absl::StrCat(text, ": the model is gated; accept its licence at ", UrlForMessage(endpoint_),
                     "/", id, " and set HF_TOKEN to a token of that account"));
  }
  if (response.status == 401 || response.status == 403) {
    return absl::PermissionDeniedError(absl::StrCat(
        text, ": no such model, or it is private or gated",
        token_.empty() ? "; if it exists, accept its licence on the hub and set HF_TOKEN"
                       : "; the token in use does not give access to it"));
  }
  if (response.status == 404) return absl::NotFoundError(text);
  if (IsTransient(response.status)) return absl::UnavailableError(text);
  return absl::InvalidArgumentError(absl::StrCat(text, ": unexpected answer"));
}

absl::StatusOr<HttpResponse> HubClient::Follow(
    HttpRequest request, const std::function<bool(const HttpResponse&)>& stop) {
  const std::vector<std::string> headers = request.headers;
  const std::string first = request.url;
  for (int hop = 0; hop <= limits_.max_redirects; ++hop) {
    request.headers = headers;
    if (!token_.empty() && UrlOrigin(request.url) == origin_) {
      request.headers.push_back(absl::StrCat("Authorization: Bearer ", token_));
    }
    auto response = http_.Perform(request);
    if (!response.ok()) return response.status();
    reached_ = true;
    if (!response->IsRedirect() || stop(*response)) return response;
    auto next = ResolveUrl(request.url, response->Header("location"));
    if (!next.ok()) return next.status();
    request.url = *std::move(next);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(UrlForMessage(first), ": more than ", limits_.max_redirects, " redirects"));
}

bool HubClient::WaitBeforeRetry(int attempt, const absl::Status& status) const {
  if (!absl::IsUnavailable(status) || !reached_ || attempt + 1 >= limits_.attempts) return false;
  std::this_thread::sleep_for(limits_.backoff * (1 << std::min(attempt, 10)));
  return true;
}

absl::StatusOr<HttpResponse> HubClient::Ask(const HttpRequest& request,
                                            const std::function<bool(const HttpResponse&)>& stop) {
  for (int attempt = 0;; ++attempt) {
    auto response = Follow(request, stop);
    absl::Status status = response.status();
    if (response.ok() && IsTransient(response->status)) {
      status = absl::UnavailableError("transient");  // the response itself says which
    }
    if (!WaitBeforeRetry(attempt, status)) return response;
  }
}

absl::StatusOr<HubRepo> HubClient::Repo(const std::string& id) {
  HttpRequest request;
  request.url = absl::StrCat(endpoint_, "/api/models/", id, "/revision/main?blobs=true");
  auto response = Ask(request, [](const HttpResponse&) { return false; });
  if (!response.ok()) return response.status();
  if (!response->IsSuccess()) return ErrorOf(*response, id, request.url);
  auto parsed = ParseJson(response->body, UrlForMessage(request.url));
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(parsed.status().message(), ", in an answer: is this a hub?"));
  }
  const nlohmann::json json = *std::move(parsed);
  auto invalid = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(
        UrlForMessage(request.url), ": the answer has no usable ", what, ": is this a hub?"));
  };
  if (!json.is_object()) return invalid("JSON object");
  HubRepo repo;
  if (auto sha = json.find("sha"); sha != json.end() && sha->is_string()) {
    repo.commit = sha->get<std::string>();
  }
  if (DigestKindOf(repo.commit) != DigestKind::kGitBlobSha1) return invalid("'sha'");
  auto siblings = json.find("siblings");
  if (siblings == json.end() || !siblings->is_array()) return invalid("'siblings'");
  for (const auto& sibling : *siblings) {
    if (!sibling.is_object()) return invalid("'siblings'");
    auto name = sibling.find("rfilename");
    if (name == sibling.end() || !name->is_string()) return invalid("'rfilename'");
    repo.files.push_back(name->get<std::string>());
    if (auto size = sibling.find("size"); size != sibling.end() && size->is_number_unsigned())
      repo.sizes[repo.files.back()] = size->get<uint64_t>();
    if (std::string digest = ListedDigest(sibling); !digest.empty())
      repo.digests[repo.files.back()] = std::move(digest);
  }
  return repo;
}

absl::StatusOr<HubFile> HubClient::FileInfo(const std::string& id, const std::string& commit,
                                            const std::string& file) {
  HttpRequest request;
  request.url = FileUrl(id, commit, file);
  request.head = true;
  // A file in large-file storage: the hub itself says what it redirects to, and only the hub is to
  // be believed.
  auto is_linked = [](const HttpResponse& response) {
    return !response.Header("x-linked-etag").empty() && !response.Header("x-linked-size").empty();
  };
  auto response = Ask(request, is_linked);
  if (!response.ok()) return response.status();
  const bool linked = is_linked(*response);
  if (!response->IsSuccess() && !(linked && response->IsRedirect()))
    return ErrorOf(*response, id, request.url);
  HubFile info;
  info.etag = PlainEtag(response->Header(linked ? "x-linked-etag" : "etag"));
  info.size = ParseSize(response->Header(linked ? "x-linked-size" : "content-length"));
  if (!IsSafeFileName(info.etag) || absl::StrContains(info.etag, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(UrlForMessage(request.url),
                                                   ": no usable ETag ('", Printable(info.etag),
                                                   "'): is this a hub?"));
  }
  absl::string_view served = response->Header("x-repo-commit");
  if (!served.empty() && served != commit) {
    return absl::InvalidArgumentError(absl::StrCat(UrlForMessage(request.url),
                                                   ": the server answers for commit ",
                                                   Printable(served), " instead"));
  }
  return info;
}

absl::Status HubClient::DownloadOnce(const std::string& url, const std::string& id, Body& body) {
  // Without a known size there is no telling whether the rest fits what is there.
  if (!body.announced || body.done > *body.announced) {
    if (auto status = body.Restart(); !status.ok()) return status;
  }
  if (body.announced && body.done == *body.announced) return absl::OkStatus();
  HttpRequest request;
  request.url = url;
  const uint64_t from = body.done;
  if (from > 0) request.headers.push_back(absl::StrCat("Range: bytes=", from, "-"));
  bool started = false;
  request.sink = [&](const HttpResponse& response, absl::string_view bytes) -> absl::Status {
    if (!started) {
      started = true;
      if (const auto encoding = response.Header("content-encoding");
          !encoding.empty() && encoding != "identity") {
        return absl::DataLossError(absl::StrCat(body.file, ": the server sends it encoded as ",
                                                Printable(encoding), ", which was not asked for"));
      }
      if (from > 0 && response.status != 206) {  // the range was ignored: all of the file comes
        if (auto status = body.Restart(); !status.ok()) return status;
      } else if (response.status == 206 && RangeStart(response.Header("content-range")) != from) {
        // All of it then: what is there may be what the server cannot go on from.
        if (auto status = body.Restart(); !status.ok()) return status;
        return absl::UnavailableError(
            absl::StrCat(body.file, ": asked for bytes from ", from, " on, the server sends '",
                         Printable(response.Header("content-range")), "'"));
      }
    }
    return body.Append(bytes);
  };
  auto response = Follow(request, [](const HttpResponse&) { return false; });
  if (!response.ok()) return response.status();
  if (response->status == 416 && from > 0) {
    if (auto status = body.Restart(); !status.ok()) return status;
    return absl::UnavailableError(
        absl::StrCat(body.file, ": the server cannot resume at byte ", from));
  }
  if (!response->IsSuccess()) return ErrorOf(*response, id, url);
  if (body.announced && body.done < *body.announced) {
    return absl::UnavailableError(absl::StrCat(body.file, ": the server ended after ", body.done,
                                               " of ", *body.announced, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status HubClient::DownloadRest(const std::string& url, const std::string& id, Body& body) {
  uint64_t furthest = body.done;
  for (int attempt = 0;; ++attempt) {
    absl::Status status = DownloadOnce(url, id, body);
    if (status.ok()) return status;
    if (body.done >= furthest + kProgressBytes) {
      furthest = body.done;
      attempt = 0;
    }
    if (!WaitBeforeRetry(attempt, status)) return status;
  }
}

absl::Status HubClient::Download(const std::string& id, const std::string& commit,
                                 const std::string& file, const HubFile& info,
                                 const std::string& partial, const std::string& blob,
                                 const std::function<void(uint64_t, uint64_t)>& progress) {
  auto fd = OpenForAppend(partial);
  if (!fd.ok()) return fd.status();
  auto size = SizeOf(fd->get(), partial);
  if (!size.ok()) return size.status();
  Body body{file, partial, *std::move(fd), info.size, *size, &progress, {}};
  if (info.size && *info.size > body.done) {
    const std::string folder = partial.substr(0, partial.rfind('/'));
    if (auto status = CheckFreeSpace(folder, *info.size - body.done); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
    }
  }
  const DigestKind kind = DigestKindOf(info.etag);
  // What an earlier run left may be what is wrong: then all of it is fetched anew, once.
  for (bool resumed = body.done > 0;; resumed = false) {
    if (auto status = DownloadRest(FileUrl(id, commit, file), id, body); !status.ok())
      return status;
    if (kind == DigestKind::kNone) break;
    auto digest = FileDigest(body.fd.get(), kind, partial);
    if (!digest.ok()) return digest.status();
    if (*digest == info.etag) break;
    if (!resumed) {
      unlink(partial.c_str());
      return absl::DataLossError(
          absl::StrCat(file, ": the ", DigestName(kind), " of the download is ", *digest,
                       ", the hub says ", info.etag, "; removed it (a proxy that alters files?)"));
    }
    if (auto status = body.Restart(); !status.ok()) return status;
  }
  body.announced = body.done;
  body.Report();
  return FlushAndRename(body.fd.get(), partial, blob);
}

}  // namespace weft
