#include "runtime/plan/checksum.h"

#include <xxhash.h>

#include "runtime/abi/check.h"

namespace weft {

Checksum::Checksum() : state_(XXH3_createState()) {
  WEFT_CHECK(state_ != nullptr && XXH3_64bits_reset(state_) == XXH_OK);
}

Checksum::~Checksum() { (void)XXH3_freeState(state_); }

void Checksum::Add(absl::Span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  WEFT_CHECK(XXH3_64bits_update(state_, bytes.data(), bytes.size()) == XXH_OK);
}

uint64_t Checksum::Value() const { return XXH3_64bits_digest(state_); }

uint64_t Checksum::Of(absl::Span<const uint8_t> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

uint64_t Checksum::Of(absl::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace weft
