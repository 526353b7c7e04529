// Runs fake_hub.py for a test, on free ports of 127.0.0.1. Tests run in the source root.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weft {

struct LoggedRequest {
  std::string server;  // "hub" or "cdn"
  std::string method;
  std::string path;
  std::optional<std::string> range;
  std::optional<std::string> authorization;
};

class FakeHub {
 public:
  // Null if python3 or the script does not run.
  static std::unique_ptr<FakeHub> Start();
  ~FakeHub();
  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;

  const std::string& url() const { return url_; }
  const std::string& cdn_url() const { return cdn_url_; }
  void Reset();
  std::vector<LoggedRequest> Log();
  // Those of the log that GET the file from the content server.
  std::vector<LoggedRequest> ContentRequests(const std::string& file);
  // The true bytes, e.g. of "plain/model/config.json".
  std::string Content(const std::string& path);

 private:
  FakeHub() = default;
  std::string Get(const std::string& path);

  pid_t pid_ = -1;
  int stdin_ = -1;
  std::string url_;
  std::string cdn_url_;
};

// A folder of its own below the system's temporary folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Name → value; none: unset.
using Variables = std::map<std::string, std::optional<std::string>>;

// Sets environment variables (unsets those without a value) and restores them at the end.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Variables& variables);
  ~ScopedEnvironment();
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  Variables before_;
};

std::string ReadWholeFile(const std::string& path);
void WriteWholeFile(const std::string& path, const std::string& bytes);

}  // namespace weft
