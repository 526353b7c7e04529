// What a text may take on its way through the steps of a tokenizer file. The file may say anything:
// twenty steps that each double the text, a pattern that sees all of it from everywhere, and both
// for each of the words that other steps cut. So one budget serves a text from end to end.
#pragma once

#include <chrono>
#include <cstddef>

#include "absl/status/status.h"

namespace weft {

class TextBudget {
 public:
  // Bytes: 64 for each of the text and 128 KiB, normalised text and words together; the most that a
  // known tokenizer makes is 33 for one (NFKC writes 3 bytes as 33, and ByteLevel those as 66).
  // Time of the thread, from here on: 1 s and 20 µs a byte, a hundred times what a known tokenizer
  // takes on a slow machine.
  explicit TextBudget(size_t text_bytes)
      : TextBudget((size_t{128} << 10) + kBytesPerByte * text_bytes, SecondsFor(text_bytes)) {}
  TextBudget(size_t most_bytes, double seconds);
  static double SecondsFor(size_t text_bytes) {
    return 1 + kSecondsPerByte * static_cast<double>(text_bytes);
  }
  // For a text that grows: what so many bytes more of it may take.
  void Allow(size_t text_bytes) {
    most_bytes_ += kBytesPerByte * text_bytes;
    seconds_ += kSecondsPerByte * static_cast<double>(text_bytes);
  }

  bool HasBytes(size_t bytes) const {
    return bytes <= most_bytes_ && spent_ <= most_bytes_ - bytes;
  }
  // ResourceExhausted where `bytes` are more than what is left.
  absl::Status CheckBytes(size_t bytes) const;
  // What a piece of the text is in the end; CheckBytes() is then about what the next makes.
  void Spend(size_t bytes) { spent_ += bytes; }

  static constexpr size_t kWorkPerReading = size_t{1} << 18;
  // Whether the time is over; once it is, it stays so. `work` is what was done since the last call
  // or is to be done next, in nanoseconds, roughly: reading the clock takes 300 of them, so that
  // it is read once so many have come together.
  bool TimeIsUp(size_t work) {
    if (over_) return true;
    work_ += work;
    return work_ >= kWorkPerReading && ReadClock();
  }
  // The same after work that may have taken anything: by a clock that takes 20 ns, so that the
  // thread's is read once in a millisecond.
  bool TimeIsUpAnyway();
  // ResourceExhausted where the time is over.
  absl::Status CheckTime(size_t work);

  // The time from Pause() to Resume() does not count. Resume() tells whether there was a pause.
  void Pause();
  bool Resume();

 private:
  static constexpr size_t kBytesPerByte = 64;
  static constexpr double kSecondsPerByte = 20e-6;

  bool ReadClock();

  size_t most_bytes_;
  size_t spent_ = 0;
  double seconds_;
  double used_ = 0;  // seconds, up to begin_
  double begin_;
  size_t work_ = 0;  // since the clock was read
  std::chrono::steady_clock::time_point next_reading_;
  bool over_ = false;
  bool paused_ = false;
};

}  // namespace weft
