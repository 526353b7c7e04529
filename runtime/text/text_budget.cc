#include "runtime/text/text_budget.h"

#include <ctime>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

constexpr size_t kCallsPerReading = 64;

double ThreadSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

absl::Status TextBudget::CheckBytes(size_t bytes) const {
  if (bytes <= most_bytes_ && spent_ <= most_bytes_ - bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the tokenizer makes more than ", most_bytes_, " bytes of a text"));
}

bool TextBudget::TimeIsUp(bool now) {
  if (++calls_ % kCallsPerReading != 0 && !now) return false;
  const double time = ThreadSeconds();
  if (deadline_ == 0) deadline_ = time + seconds_;
  return time > deadline_;
}

}  // namespace weft
