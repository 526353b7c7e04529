#include "runtime/base/file_name.h"

#include <algorithm>

namespace weft {

bool IsPlainFileName(absl::string_view name) {
  constexpr size_t kMaxBytes = 255;  // NAME_MAX of the common file systems
  if (name.empty() || name == "." || name == ".." || name.size() > kMaxBytes) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
}

}  // namespace weft
