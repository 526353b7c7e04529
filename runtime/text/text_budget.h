// What a text may take on its way through the steps of a tokenizer file. The file may say anything:
// twenty steps that each double the text, a pattern that sees all of it from everywhere, and both
// for each of the words that other steps cut. So one budget serves a text from end to end.
#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace weft {

class TextBudget {
 public:
  // Bytes: 64 for each of the text and 128 KiB, normalised text and words together; the most that a
  // known tokenizer makes is 33 for one (NFKC writes 3 bytes as 33, and ByteLevel those as 66).
  // Time of the thread: 5 s and 20 µs a byte, a hundred times what a known tokenizer takes on a
  // slow machine.
  explicit TextBudget(size_t text_bytes)
      : TextBudget((size_t{128} << 10) + 64 * text_bytes, SecondsFor(text_bytes)) {}
  TextBudget(size_t most_bytes, double seconds) : most_bytes_(most_bytes), seconds_(seconds) {}
  static double SecondsFor(size_t text_bytes) {
    return 5 + 20e-6 * static_cast<double>(text_bytes);
  }

  // ResourceExhausted where `bytes` are more than what is left.
  absl::Status CheckBytes(size_t bytes) const;
  // What a piece of the text is in the end; CheckBytes() is then about what the next makes.
  void Spend(size_t bytes) { spent_ += bytes; }

  // Whether the time is over. The clock is read at every 64th call, or `now`; the time begins at
  // the first reading.
  bool TimeIsUp(bool now);

 private:
  size_t most_bytes_;
  size_t spent_ = 0;
  double seconds_;
  double deadline_ = 0;  // 0: the clock was not read yet
  size_t calls_ = 0;
};

}  // namespace weft
