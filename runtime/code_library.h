// The machine code of a plan, loaded by the system's dynamic linker.
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/abi/program.h"

namespace weft {

// Owns a shared object in this process: functions live as long as this does.
class CodeLibrary {
 public:
  // `image` is an ELF shared object that defines steps and needs nothing but libc. It is loaded
  // from a file in `folder` that holds just these bytes, made if need be, so that debuggers and
  // profilers find its symbols by path; where that cannot be (no such folder, noexec, others may
  // write to it), from memory.
  // Images of different bytes never share code, whatever their symbols are called.
  static absl::StatusOr<std::unique_ptr<CodeLibrary>> Load(absl::Span<const uint8_t> image,
                                                           const std::string& folder);
  ~CodeLibrary();
  CodeLibrary(const CodeLibrary&) = delete;
  CodeLibrary& operator=(const CodeLibrary&) = delete;

  // Where it was loaded from.
  const std::string& path() const { return path_; }

  // The functions of the program's steps (StepSymbol); an error names a symbol that is missing.
  absl::StatusOr<std::vector<KernelFn>> KernelsOf(const Program& program) const;

 private:
  CodeLibrary(void* handle, int fd, std::string path)
      : handle_(handle), fd_(fd), path_(std::move(path)) {}

  void* const handle_;
  // Of the memory that it was loaded from; else -1. It stays open, since the linker knows libraries
  // by name and the name is that of the descriptor.
  const int fd_;
  const std::string path_;
};

// "code" in WeftCacheFolder(); empty where there is none. The folder need not exist.
std::string CodeFolder();

}  // namespace weft
