// Runs a fuzz target on files, or on all files of folders: what libFuzzer's own main does with
// them, for builds that have no libFuzzer. An input that takes long is a failure too.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "runtime/base/thread_clock.h"
#include "tests/fuzz/fuzz_target.h"

// Of targets with a mutator, which only libFuzzer calls.
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t*, size_t, size_t) { abort(); }

namespace {

// Of the thread's time, which other work on the machine does not touch. The longest of the corpora
// take 10 ms; a template that comes to the clock's bound takes 2 s. The finding that was one took
// 2.7 s, with the address sanitizer 8.
#if defined(NDEBUG) && !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr double kMostSeconds = 2.5;
#else
constexpr double kMostSeconds = 5;
#endif

}  // namespace

int main(int argc, char** argv) {
  size_t count = 0;
  size_t slow = 0;
  double longest = 0;
  const auto run = [&](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);  // names the culprit of a crash
    const double start = weft::ThreadSeconds();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    const double seconds = weft::ThreadSeconds() - start;
    longest = std::max(longest, seconds);
    ++count;
    if (seconds <= kMostSeconds) return;
    ++slow;
    std::fprintf(stderr, "%s took %.1f s, above %.1f s\n", path.c_str(), seconds, kMostSeconds);
  };
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      run(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
      if (entry.is_regular_file()) run(entry.path());
  }
  std::printf("%zu inputs, the longest took %.2f s\n", count, longest);
  return count == 0 || slow > 0 ? 1 : 0;
}
