#include "tests/http/fake_hub.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/hub/http_client.h"
#include "nlohmann/json.hpp"

extern char** environ;

namespace weft {
namespace {

void Set(const std::string& name, const std::optional<std::string>& value) {
  if (value) {
    setenv(name.c_str(), value->c_str(), 1);
  } else {
    unsetenv(name.c_str());
  }
}

}  // namespace

std::unique_ptr<FakeHub> FakeHub::Start() {
  std::array<int, 2> input;
  std::array<int, 2> output;
  if (pipe2(input.data(), O_CLOEXEC) != 0 || pipe2(output.data(), O_CLOEXEC) != 0) return nullptr;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::string program = "python3";
  std::string script = "tests/http/fake_hub.py";
  std::array<char*, 3> arguments = {program.data(), script.data(), nullptr};
  std::unique_ptr<FakeHub> hub(new FakeHub());
  int error =
      posix_spawnp(&hub->pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  hub->stdin_ = input[1];
  std::string line;
  for (char c = 0; error == 0 && c != '\n' && read(output[0], &c, 1) == 1;) line.push_back(c);
  close(output[0]);
  auto ports = nlohmann::json::parse(line, nullptr, false);
  if (!ports.is_object()) return nullptr;
  hub->url_ = absl::StrCat("http://127.0.0.1:", ports.value("hub", 0));
  hub->cdn_url_ = absl::StrCat("http://127.0.0.1:", ports.value("cdn", 0));
  return hub;
}

FakeHub::~FakeHub() {
  close(stdin_);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

std::string FakeHub::Get(const std::string& path) {
  HttpClient client{HttpLimits{}};
  auto response = client.Perform({.url = url_ + path});
  return response.ok() && response->IsSuccess() ? response->body : "";
}

void FakeHub::Reset() { Get("/_reset"); }

std::vector<LoggedRequest> FakeHub::Log() {
  auto log = nlohmann::json::parse(Get("/_log"), nullptr, false);
  std::vector<LoggedRequest> requests;
  for (const auto& entry : log) {
    auto optional = [&](const char* key) {
      return entry[key].is_string() ? std::optional(entry[key].get<std::string>()) : std::nullopt;
    };
    requests.push_back({entry.value("server", ""), entry.value("method", ""),
                        entry.value("path", ""), optional("range"), optional("authorization")});
  }
  return requests;
}

std::vector<LoggedRequest> FakeHub::ContentRequests(const std::string& file) {
  std::vector<LoggedRequest> requests;
  for (LoggedRequest& request : Log()) {
    if (request.server == "cdn" && absl::EndsWith(request.path, "/" + file)) {
      requests.push_back(std::move(request));
    }
  }
  return requests;
}

std::string FakeHub::Content(const std::string& path) { return Get("/_content/" + path); }

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

ScopedEnvironment::ScopedEnvironment(const Variables& variables) {
  for (const auto& [name, value] : variables) {
    const char* before = std::getenv(name.c_str());
    before_[name] = before == nullptr ? std::nullopt : std::optional<std::string>(before);
    Set(name, value);
  }
}

ScopedEnvironment::~ScopedEnvironment() {
  for (const auto& [name, value] : before_) Set(name, value);
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteWholeFile(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace weft
