#include "frontends/config_file.h"

#include <utility>

#include "absl/types/span.h"
#include "frontends/hub/file_digest.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

namespace weft {

absl::StatusOr<std::optional<std::string>> ReadConfigFile(const std::string& path,
                                                          uint64_t max_bytes,
                                                          std::vector<ConfigFile>* read) {
  WEFT_ASSIGN_OR_RETURN(std::optional<std::string> text, ReadRegularFileIfAny(path, max_bytes));
  if (text) {
    const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(text->data()),
                                          text->size());
    WEFT_ASSIGN_OR_RETURN(std::string digest, Sha256(bytes));
    read->push_back({path, text->size(), std::move(digest)});
  }
  return text;
}

}  // namespace weft
