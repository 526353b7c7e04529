#include "runtime/text/text_budget.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/thread_clock.h"

namespace weft {

TextBudget::TextBudget(size_t most_bytes, double seconds)
    : most_bytes_(most_bytes), seconds_(seconds), begin_(ThreadSeconds()) {}

absl::Status TextBudget::CheckBytes(size_t bytes) const {
  if (HasBytes(bytes)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the tokenizer makes more than ", most_bytes_, " bytes of a text"));
}

absl::Status TextBudget::CheckTime(size_t work) {
  if (!TimeIsUp(work)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the tokenizer took too long: more than ", seconds_, " s for a text"));
}

void TextBudget::Pause() {
  if (!paused_) used_ += ThreadSeconds() - begin_;
  paused_ = true;
}

bool TextBudget::Resume() {
  if (!paused_) return false;
  begin_ = ThreadSeconds();
  paused_ = false;
  return true;
}

bool TextBudget::TimeIsUpAnyway() {
  if (over_) return true;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_reading_) return false;
  next_reading_ = now + std::chrono::milliseconds(1);
  return ReadClock();
}

bool TextBudget::ReadClock() {
  work_ = 0;
  over_ = used_ + (paused_ ? 0 : ThreadSeconds() - begin_) > seconds_;
  return over_;
}

}  // namespace weft
