// A test that talks to the fake hub, with empty caches and no wait between tries.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "frontends/hub/environment.h"
#include "frontends/hub/options.h"
#include "tests/http/fake_hub.h"

namespace weft {

class HubFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    static std::unique_ptr<FakeHub> shared = FakeHub::Start();
    ASSERT_NE(shared, nullptr) << "needs python3, and to run in the source root";
    hub_ = shared.get();
    hub_->Reset();
    environment_.endpoint = hub_->url();
    environment_.hub_cache = folder_.path() + "/hub";
    environment_.weft_cache = folder_.path() + "/weft";
    options_.limits.backoff = std::chrono::milliseconds(1);
    options_.progress = [this](const HubProgress& progress) {
      std::lock_guard lock(mutex_);
      if (progress.note.empty()) {
        reports_.push_back(progress);
      } else {
        notes_ += progress.note + "\n";
      }
    };
  }

  std::string Repo(const std::string& folder) const {
    return environment_.hub_cache + "/models--" + folder;
  }

  // The variables that make ReadHubEnvironment answer environment_.
  Variables HubVariables() const {
    return {{"HF_ENDPOINT", environment_.endpoint},
            {"XDG_CACHE_HOME", folder_.path()},
            {"HF_HUB_CACHE", environment_.hub_cache},
            {"HF_HOME", std::nullopt},
            {"HF_TOKEN", std::nullopt},
            {"HF_TOKEN_PATH", std::nullopt},
            {"HF_HUB_OFFLINE", std::nullopt}};
  }

  FakeHub* hub_ = nullptr;
  TemporaryFolder folder_;
  HubEnvironment environment_;
  HubOptions options_;
  std::mutex mutex_;
  std::vector<HubProgress> reports_;
  std::string notes_;
  ScopedEnvironment no_proxy_{{{"NO_PROXY", "127.0.0.1"}, {"no_proxy", "127.0.0.1"}}};
};

inline constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";      // fake_hub.py's
inline constexpr char kNextCommit[] = "fedcba9876543210fedcba9876543210fedcba98";  // of "moving"
inline constexpr size_t kWeightBytes = 600'000;

}  // namespace weft
