// The checksum of plan files, over bytes that come piece by piece.
#pragma once

#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>

struct XXH3_state_s;

namespace weft {

// XXH3, 64 bits, seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  void Add(absl::Span<const uint8_t> bytes);
  // Of all bytes added so far.
  uint64_t Value() const;

  static uint64_t Of(absl::Span<const uint8_t> bytes);
  static uint64_t Of(absl::string_view text);

 private:
  XXH3_state_s* state_;
};

}  // namespace weft
