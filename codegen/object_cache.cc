#include "codegen/object_cache.h"

namespace weft::codegen {

absl::StatusOr<std::string> ObjectCache::Find(absl::string_view key, const CompileFn& compile) {
  {
    const std::lock_guard lock(mutex_);
    if (auto found = objects_.find(key); found != objects_.end()) {
      ++hits_;
      return found->second;
    }
  }
  absl::StatusOr<std::string> object = compile();
  if (!object.ok()) return object;
  const std::lock_guard lock(mutex_);
  objects_.try_emplace(key, *object);
  return object;
}

int64_t ObjectCache::hits() const {
  const std::lock_guard lock(mutex_);
  return hits_;
}

}  // namespace weft::codegen
