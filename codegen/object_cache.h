// Compiled kernels by the LLVM IR that they were compiled from, for those who compile many programs
// in one process: most kernels of one are those of another.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weft::codegen {

// Any number of threads may ask at once. Grows without bound.
class ObjectCache {
 public:
  using CompileFn = std::function<absl::StatusOr<std::string>()>;

  // The object of what `key` says in full; compiled where it is new. Errors are not kept.
  absl::StatusOr<std::string> Find(absl::string_view key, const CompileFn& compile);

  int64_t hits() const;

 private:
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, std::string> objects_;
  int64_t hits_ = 0;
};

}  // namespace weft::codegen
