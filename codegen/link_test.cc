#include "codegen/link.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "codegen/kernel_builder.h"
#include "runtime/base/cpu.h"
#include "runtime/code_library.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;

// Functions of the program of Naming that each store their own number in their first operand.
std::vector<uint8_t> Linked(const std::vector<std::pair<std::string, int>>& kernels) {
  const Target target = *ParseTarget("x86-64-v3", DetectCpuFeatures());
  std::vector<NamedEmission> emissions;
  for (const auto& [name, number] : kernels) {
    KernelSpec spec;
    spec.operands = {{{DataType::kI32, {ir::Dim(1)}}}};
    const int value = number;
    emissions.push_back(
        {absl::StrCat("step", emissions.size(), ".layer.", name), spec,
         [value](KernelBuilder& k) { k.ir().CreateStore(k.ir().getInt32(value), k.Operand(0)); }});
  }
  return *LinkSharedObject(*CompileToObject(absl::MakeConstSpan(emissions), target));
}

Program Naming(const std::vector<std::string>& kernels) {
  Program program;
  for (const std::string& kernel : kernels) {
    Step step;
    step.name = "layer";
    step.kernel = kernel;
    program.steps.push_back(step);
  }
  return program;
}

int Call(KernelFn kernel) {
  int32_t stored = 0;
  void* operands[] = {&stored};
  const KernelContext context{1, 1, 0};
  kernel(&context, operands, 0, 1);
  return stored;
}

class LinkTest : public testing::Test {
 protected:
  std::string Folder() const {
    return absl::StrCat(testing::TempDir(), "weft-link-test-", getpid(), "/code");
  }
};

// LLVM registers handlers of its own where lld maps the file that it writes. One of SIGBUS would
// take the place of the guard of truncated files, and give it back only after a moment in which
// another thread that meets the same truncated file ends the process.
// Once a process, so that it takes a fresh one.
TEST(LinkDeathTest, LeavesTheHandlersOfSignalsAlone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto handlers = [] {
    std::vector<void (*)(int)> all;
    for (int signal = 1; signal < 32; ++signal) {
      struct sigaction action = {};
      all.push_back(sigaction(signal, nullptr, &action) == 0 ? action.sa_handler : nullptr);
    }
    return all;
  };
  const auto link = [&handlers] {
    const auto before = handlers();
    const bool linked = !Linked({{"f", 3}}).empty();
    std::exit(linked && handlers() == before ? 0 : 1);
  };
  EXPECT_EXIT(link(), testing::ExitedWithCode(0), "");
}

TEST_F(LinkTest, SeveralKernels) {
  const auto library = CodeLibrary::Load(Linked({{"f", 3}, {"g", 4}}), Folder());
  ASSERT_TRUE(library.ok()) << library.status();
  const auto kernels = (*library)->KernelsOf(Naming({"f", "g"}));
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  EXPECT_EQ(Call((*kernels)[0]), 3);
  EXPECT_EQ(Call((*kernels)[1]), 4);
  EXPECT_THAT((*library)->path(), HasSubstr(Folder()));
  EXPECT_THAT(std::string((*library)->KernelsOf(Naming({"h"})).status().message()),
              HasSubstr("does not define 'step0.layer.h'"));
}

// The dynamic linker knows libraries by name, and symbols of different plans share theirs.
TEST_F(LinkTest, LibrariesOfTheSameSymbolsRunTheirOwnCode) {
  for (const std::string& folder : {Folder(), std::string(), std::string("/dev/null/code")}) {
    SCOPED_TRACE(folder);
    const std::vector<uint8_t> one = Linked({{"f", 1}});
    const std::vector<uint8_t> two = Linked({{"f", 2}});
    for (int turn = 0; turn < 3; ++turn) {
      const auto first = CodeLibrary::Load(one, folder);
      const auto second = CodeLibrary::Load(two, folder);
      ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
      EXPECT_EQ(Call((*first)->KernelsOf(Naming({"f"}))->front()), 1);
      EXPECT_EQ(Call((*second)->KernelsOf(Naming({"f"}))->front()), 2);
    }
    // One after the other, at the same descriptor.
    EXPECT_EQ(Call((*CodeLibrary::Load(two, folder))->KernelsOf(Naming({"f"}))->front()), 2);
  }
}

// Somebody else could replace a file between its check and its use.
TEST_F(LinkTest, AFolderThatOthersWriteToIsNotUsed) {
  const std::string folder = Folder() + "-shared";
  std::filesystem::create_directories(folder);
  for (const auto& [mode, used] : {std::pair(0777, false), std::pair(0700, true)}) {
    ASSERT_EQ(chmod(folder.c_str(), static_cast<mode_t>(mode)), 0);
    const auto library = CodeLibrary::Load(Linked({{"f", 5}}), folder);
    ASSERT_TRUE(library.ok()) << library.status();
    EXPECT_EQ((*library)->path().starts_with(folder), used);
    EXPECT_EQ(Call((*library)->KernelsOf(Naming({"f"}))->front()), 5);
  }
}

// What kill -9 leaves. What is in use, somebody else's or quite new stays.
TEST_F(LinkTest, AbandonedFoldersAreRemoved) {
  namespace fs = std::filesystem;
  const std::string temporary =
      absl::StrCat(testing::TempDir(), "weft-link-test-", getpid(), "/temporary");
  const auto make = [&](const std::string& name, bool old) {
    const fs::path folder = fs::path(temporary) / name;
    fs::create_directories(folder);
    std::ofstream(folder / "kernels") << "x";
    if (old)
      fs::last_write_time(folder, fs::file_time_type::clock::now() - std::chrono::minutes(2));
    return folder;
  };
  const fs::path abandoned = make("weft-link-aaaaaa", true);
  const fs::path used = make("weft-link-bbbbbb", true);
  const fs::path young = make("weft-link-cccccc", false);
  const fs::path other = make("weft-linked", true);
  const int lock = open(used.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  fs::create_directory_symlink(other, fs::path(temporary) / "weft-link-dddddd");
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", temporary.c_str(), /*overwrite=*/1);
  EXPECT_FALSE(Linked({{"f", 1}}).empty());
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", kept.c_str(), /*overwrite=*/1);
  }
  EXPECT_FALSE(fs::exists(abandoned));
  for (const fs::path& folder : {used, young, other})
    EXPECT_TRUE(fs::exists(folder / "kernels")) << folder;
  size_t left = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(temporary)) ++left;
  EXPECT_EQ(left, 4u) << "its own is gone as well";
  close(lock);
  fs::remove_all(temporary);
}

TEST_F(LinkTest, EqualInputGivesEqualBytes) {
  EXPECT_EQ(Linked({{"f", 1}, {"g", 2}}), Linked({{"f", 1}, {"g", 2}}));
}

TEST_F(LinkTest, Errors) {
  const std::vector<uint8_t> noise(100, 7);
  EXPECT_THAT(std::string(LinkSharedObject(noise).status().message()),
              HasSubstr("cannot link kernels"));
  EXPECT_THAT(std::string(CodeLibrary::Load(noise, Folder()).status().message()),
              HasSubstr("cannot load machine code"));
}

}  // namespace
}  // namespace weft::codegen
