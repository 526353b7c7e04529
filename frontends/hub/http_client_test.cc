#include "frontends/hub/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/http/hub_fixture.h"

namespace weft {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HttpClientTest : public HubFixture {
 protected:
  absl::StatusOr<HttpResponse> Get(const std::string& url) {
    return HttpClient(options_.limits).Perform({.url = url});
  }
};

TEST_F(HttpClientTest, BodyStatusAndHeaders) {
  auto response = Get(hub_->url() + "/plain/model/resolve/" + kCommit + "/config.json");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, R"({"model_type": "llama", "of": "plain"})");
  EXPECT_EQ(response->Header("x-repo-commit"), kCommit);
  EXPECT_EQ(response->Header("x-absent"), "");
}

TEST_F(HttpClientTest, RedirectsAreAnswersNotFollowed) {
  auto response = Get(hub_->url() + "/plain/model/resolve/" + kCommit + "/model.safetensors");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->IsRedirect());
  EXPECT_THAT(std::string(response->Header("location")), HasSubstr(hub_->cdn_url()));
}

TEST_F(HttpClientTest, BodyIsBounded) {
  HttpRequest request;
  request.url = hub_->url() + "/_content/plain/model/model.safetensors";
  request.max_body = kWeightBytes;
  EXPECT_EQ(HttpClient(options_.limits).Perform(request)->body.size(), kWeightBytes);
  request.max_body = kWeightBytes - 1;
  EXPECT_EQ(HttpClient(options_.limits).Perform(request).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST_F(HttpClientTest, SinkTakesTheBodyAndItsErrorEndsTheTransfer) {
  HttpRequest request;
  request.url = hub_->url() + "/_content/plain/model/model.safetensors";
  std::string taken;
  request.sink = [&](const HttpResponse& response, absl::string_view bytes) {
    EXPECT_EQ(response.status, 200);
    absl::StrAppend(&taken, bytes);
    return absl::OkStatus();
  };
  HttpClient client(options_.limits);
  ASSERT_TRUE(client.Perform(request).ok());
  EXPECT_EQ(taken, hub_->Content("plain/model/model.safetensors"));
  request.sink = [](const HttpResponse&, absl::string_view) {
    return absl::AbortedError("enough");
  };
  EXPECT_EQ(client.Perform(request).status(), absl::AbortedError("enough"));
}

TEST_F(HttpClientTest, SinkDoesNotSeeErrorPages) {
  HttpRequest request;
  request.url = hub_->url() + "/e404/model/resolve/x/y";
  request.sink = [&](const HttpResponse&, absl::string_view) { return absl::AbortedError("seen"); };
  auto response = HttpClient(options_.limits).Perform(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 404);
}

TEST_F(HttpClientTest, UnreachableHostIsFoundAtOnce) {
  auto start = std::chrono::steady_clock::now();
  auto response = Get("http://127.0.0.1:1/");  // nothing listens on tcpmux
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(HttpClientTest, SilentServerTimesOut) {
  options_.limits.metadata_timeout = std::chrono::milliseconds(500);
  auto start = std::chrono::steady_clock::now();
  auto response = Get(hub_->url() + "/api/models/slowapi/model/revision/main");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(HttpClientTest, OnlyHttp) {
  auto response = Get("file:///etc/passwd");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kFailedPrecondition) << response.status();
}

TEST_F(HttpClientTest, MessagesDoNotShowTheQuery) {
  auto response = Get("http://127.0.0.1:1/file?Signature=s3cret");
  EXPECT_THAT(std::string(response.status().message()), Not(HasSubstr("s3cret")));
}

TEST_F(HttpClientTest, MessagesDoNotShowThePassword) {
  for (const char* url :
       {"http://someone:S3CRET@127.0.0.1:1/file", "http://someone:p@S3CRET@127.0.0.1:1/",
        "http://someone:p/S3CRET@127.0.0.1:1/"}) {
    auto response = Get(url);
    EXPECT_THAT(std::string(response.status().message()),
                AllOf(HasSubstr("127.0.0.1:1"), Not(HasSubstr("S3CRET"))));
  }
  HttpRequest request;
  request.url = hub_->url() + "/_content/plain/model/model.safetensors?Signature=s3cret";
  request.max_body = 10;
  const auto response = HttpClient(options_.limits).Perform(request);
  EXPECT_THAT(std::string(response.status().message()),
              AllOf(HasSubstr("longer than 10"), Not(HasSubstr("s3cret"))));
}

TEST(UrlTest, Origins) {
  EXPECT_EQ(UrlOrigin("https://Hub.example/a?b"), "https://hub.example:443");
  EXPECT_EQ(UrlOrigin("http://hub.example:80/x"), UrlOrigin("http://hub.example"));
  EXPECT_NE(UrlOrigin("http://hub.example:81/x"), UrlOrigin("http://hub.example"));
  EXPECT_NE(UrlOrigin("https://hub.example"), UrlOrigin("https://hub.example.evil.example"));
  // The host is what follows the '@'.
  EXPECT_EQ(UrlOrigin("https://hub.example@evil.example/"), "https://evil.example:443");
  EXPECT_EQ(UrlOrigin("no url"), "");
}

TEST(UrlTest, RedirectTargets) {
  const std::string base = "https://hub.example/a/b?c";
  EXPECT_EQ(ResolveUrl(base, "/x/y").value(), "https://hub.example/x/y");
  EXPECT_EQ(ResolveUrl(base, "x").value(), "https://hub.example/a/x");
  EXPECT_EQ(ResolveUrl(base, "//cdn.example/x").value(), "https://cdn.example/x");
  EXPECT_EQ(ResolveUrl(base, "https://cdn.example/x?y=%2F").value(), "https://cdn.example/x?y=%2F");
  for (const char* bad : {"ftp://cdn.example/", "file:///etc/passwd", "http://cdn.example/",
                          "javascript:1", "https://"}) {
    EXPECT_EQ(ResolveUrl(base, bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(ResolveUrl("http://mirror/", "http://cdn/").ok());
  for (const char* bad :
       {"http://[cdn]/x?Signature=s3cret", "ftp://u:s3cret@cdn/x", "http://u:s3cret@cdn:port/"}) {
    const auto url = ResolveUrl("https://u:S3CRET@hub.example/", bad);
    EXPECT_THAT(std::string(url.status().message()),
                AllOf(HasSubstr("https://hub.example/: redirects"), Not(HasSubstr("s3cret")),
                      Not(HasSubstr("S3CRET"))));
  }
}

TEST(UrlTest, PathsAreEscaped) {
  EXPECT_EQ(EscapeUrlPath("a b/c?d#e%f+g"), "a%20b/c%3Fd%23e%25f%2Bg");
  EXPECT_EQ(EscapeUrlPath("Model-1_2.x~/y.gguf"), "Model-1_2.x~/y.gguf");
}

TEST(UrlTest, WhatServersSayIsMadePrintable) {
  EXPECT_EQ(Printable("a\x1b[31mb\nc"), "a[31mbc");
  EXPECT_EQ(Printable(std::string(400, 'x')), std::string(300, 'x') + "...");
}

}  // namespace
}  // namespace weft
