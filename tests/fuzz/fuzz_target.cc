#include "tests/fuzz/fuzz_target.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"

namespace weft::fuzz {
namespace {

struct Folder {
  Folder() {
    const std::filesystem::path memory = "/dev/shm";
    const std::filesystem::path parent =
        access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    path = absl::StrCat(parent.string(), "/weft-fuzz-", getpid());
    std::filesystem::create_directory(path);
  }
  ~Folder() {
    std::error_code none;
    std::filesystem::remove_all(path, none);
  }
  std::string path;
};

}  // namespace

const std::string& ScratchFolder() {
  static const Folder folder;
  return folder.path;
}

std::string WriteScratch(const std::string& name, absl::string_view bytes) {
  const std::string path = absl::StrCat(ScratchFolder(), "/", name);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  WEFT_CHECK(file.good());
  return path;
}

std::string OraclePath(absl::string_view path) {
  const char* const root = std::getenv("WEFT_SOURCE_DIR");
  return absl::StrCat(root == nullptr ? "" : root, root == nullptr ? "" : "/", "tests/oracle/",
                      path);
}

}  // namespace weft::fuzz
