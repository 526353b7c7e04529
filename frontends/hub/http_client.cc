#include "frontends/hub/http_client.h"

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace weft {
namespace {

constexpr size_t kMaxHeaders = 128;        // the hub sends about 30
constexpr size_t kMaxHeaderBytes = 16384;  // signed redirect URLs take about 1,500
constexpr size_t kMaxErrorBody = 4096;

struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlFree>;

// What the callbacks of one transfer share.
struct Transfer {
  const HttpRequest* request;
  HttpResponse response;
  absl::Status failure;
  bool enough = false;  // of the body of an error or redirect, which may have no end
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& response = static_cast<Transfer*>(user)->response;
  absl::string_view line(data, size * count);
  if (absl::StartsWith(line, "HTTP/")) {  // a new answer begins, e.g. after a 100 Continue
    response.headers.clear();
    return line.size();
  }
  size_t colon = line.find(':');
  if (colon != absl::string_view::npos && line.size() <= kMaxHeaderBytes &&
      response.headers.size() < kMaxHeaders) {
    response.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return line.size();
}

// Less than this in the time of a stall is no download that anybody waits for: half a kilobyte a
// second with the usual 30 s.
constexpr curl_off_t kLeastProgress = 16 << 10;

// Ends a transfer that receives nothing, or one byte now and then. Not CURLOPT_LOW_SPEED_TIME,
// which averages over the seconds before the stall.
struct StallWatch {
  std::chrono::milliseconds limit;
  std::chrono::steady_clock::time_point changed = std::chrono::steady_clock::now();
  curl_off_t received = 0;  // by then
  bool stalled = false;
};

int OnProgress(void* user, curl_off_t /*total*/, curl_off_t received, curl_off_t /*to_send*/,
               curl_off_t /*sent*/) {
  auto& watch = *static_cast<StallWatch*>(user);
  auto now = std::chrono::steady_clock::now();
  if (received - watch.received >= kLeastProgress) {
    watch.received = received;
    watch.changed = now;
  }
  watch.stalled = now - watch.changed > watch.limit;
  return watch.stalled ? 1 : 0;
}

struct BodyContext {
  Transfer* transfer;
  CURL* curl;
};

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& context = *static_cast<BodyContext*>(user);
  Transfer& transfer = *context.transfer;
  absl::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(context.curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  const HttpRequest& request = *transfer.request;
  if (transfer.response.IsSuccess()) {
    if (request.sink) {
      transfer.failure = request.sink(transfer.response, bytes);
    } else if (transfer.response.body.size() + bytes.size() > request.max_body) {
      transfer.failure = absl::OutOfRangeError(absl::StrCat(
          UrlForMessage(request.url), ": the answer is longer than ", request.max_body, " bytes"));
    } else {
      absl::StrAppend(&transfer.response.body, bytes);
    }
  } else {
    absl::StrAppend(&transfer.response.body,
                    bytes.substr(0, kMaxErrorBody - transfer.response.body.size()));
    transfer.enough = transfer.response.body.size() == kMaxErrorBody;
  }
  return transfer.failure.ok() && !transfer.enough ? bytes.size() : 0;
}

bool MayPass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string result = text;
  curl_free(text);
  return result;
}

}  // namespace

absl::string_view HttpResponse::Header(const std::string& lower_case_name) const {
  auto found = headers.find(lower_case_name);
  return found == headers.end() ? absl::string_view() : absl::string_view(found->second);
}

bool HttpResponse::IsRedirect() const {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

HttpClient::HttpClient(const HttpLimits& limits) : limits_(limits) {
  // Thread-safe in itself only from libcurl 7.84 on; the initialisation of a local static is so
  // with every version.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_ = initialised == CURLE_OK ? curl_easy_init() : nullptr;
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

absl::StatusOr<HttpResponse> HttpClient::Perform(const HttpRequest& request) {
  if (curl_ == nullptr) return absl::InternalError("libcurl could not be initialised");
  CURL* curl = curl_;
  curl_easy_reset(curl);  // keeps open connections
  Transfer transfer{&request};
  BodyContext body{&transfer, curl};
  StallWatch watch{limits_.stall_timeout};
  std::unique_ptr<curl_slist, ListFree> headers;
  for (const std::string& line : request.headers) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  }
  // Makes the Content-Length of a HEAD request the size of the file.
  headers.reset(curl_slist_append(headers.release(), "Accept-Encoding: identity"));
  std::array<char, CURL_ERROR_SIZE> message{};

  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "weft/0.1");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message.data());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(limits_.connect_timeout.count()));
  if (request.sink) {
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &watch);
  } else {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.metadata_timeout.count()));
  }

  CURLcode code = curl_easy_perform(curl);
  if (!transfer.failure.ok()) return transfer.failure;
  if (watch.stalled) {
    return absl::UnavailableError(absl::StrCat(UrlForMessage(request.url),
                                               ": nearly nothing received for ",
                                               limits_.stall_timeout.count(), " ms"));
  }
  if (code != CURLE_OK && !transfer.enough) {
    std::string text = absl::StrCat(UrlForMessage(request.url), ": ",
                                    message[0] != 0 ? message.data() : curl_easy_strerror(code));
    return MayPass(code) ? absl::UnavailableError(text) : absl::FailedPreconditionError(text);
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

absl::StatusOr<std::string> ResolveUrl(const std::string& base, absl::string_view location) {
  UrlHandle url(curl_url());
  std::string target(location);
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, target.c_str(),
                   CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return absl::InvalidArgumentError(absl::StrCat(UrlForMessage(base),
                                                   ": redirects to something that is no URL: '",
                                                   Printable(UrlForMessage(location)), "'"));
  }
  std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME, 0);
  if (scheme != "http" && scheme != "https") {
    return absl::InvalidArgumentError(absl::StrCat(UrlForMessage(base), ": redirects to '",
                                                   Printable(UrlForMessage(target)),
                                                   "': only http and https are followed"));
  }
  if (scheme == "http" && absl::StartsWith(base, "https:")) {
    return absl::InvalidArgumentError(absl::StrCat(
        UrlForMessage(base), ": redirects from https to plain http, which is not followed"));
  }
  return UrlPart(url.get(), CURLUPART_URL, 0);
}

std::string UrlOrigin(const std::string& text) {
  UrlHandle url(curl_url());
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return "";
  }
  return absl::AsciiStrToLower(absl::StrCat(
      UrlPart(url.get(), CURLUPART_SCHEME, 0), "://", UrlPart(url.get(), CURLUPART_HOST, 0), ":",
      UrlPart(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)));
}

std::string UrlForMessage(absl::string_view url) {
  constexpr absl::string_view kAfterScheme = "://";
  url = url.substr(0, url.find_first_of("?#"));
  size_t begin = url.find(kAfterScheme);
  begin = begin == absl::string_view::npos ? 0 : begin + kAfterScheme.size();
  // The last one, wherever it stands: a password that holds '/' or '@' ends there.
  const size_t at = url.rfind('@');
  if (at == absl::string_view::npos || at < begin) return std::string(url);
  return absl::StrCat(url.substr(0, begin), url.substr(at + 1));
}

std::string EscapeUrlPath(absl::string_view path) {
  std::string escaped;
  for (char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' ||
        c == '~' || c == '/') {
      escaped.push_back(c);
    } else {
      absl::StrAppendFormat(&escaped, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

std::string Printable(absl::string_view text) {
  constexpr size_t kMax = 300;
  std::string result;
  for (char c : text.substr(0, kMax)) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) result.push_back(c);
  }
  if (text.size() > kMax) result += "...";
  return result;
}

}  // namespace weft
