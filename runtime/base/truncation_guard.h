// Files that lose their end while they are mapped.
#pragma once

#include <cstdint>

namespace weft {

// A touch of mapped memory behind the end of its file is SIGBUS, of which a process dies. From this
// call on, which holds for the whole process, such a touch of a GuardedRange made later reads zeros
// instead, and the range is broken; also where the device cannot read the file. SIGBUS elsewhere
// goes to the handler that was there before. False: the system refuses the handler.
bool GuardTruncatedFiles();

// Whole pages that map a file, as long as they do.
class GuardedRange {
 public:
  GuardedRange() = default;
  GuardedRange(const uint8_t* begin, uint64_t size);
  ~GuardedRange();
  GuardedRange(GuardedRange&& other) noexcept;
  GuardedRange& operator=(GuardedRange&& other) noexcept;

  // Zeros may have been read instead of the file's bytes.
  bool broken() const;

 private:
  int slot_ = -1;  // none: not guarded
};

}  // namespace weft
