#include "runtime/session.h"

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/abi/check.h"

namespace weft {

absl::Status Session::Check(absl::Span<const int32_t> ids, int64_t chunk) const {
  if (ids.empty()) return absl::InvalidArgumentError("no tokens to compute: the prompt is empty");
  if (chunk < 0) {
    return absl::InvalidArgumentError(absl::StrCat("chunks of ", chunk, " tokens; use 1 or more"));
  }
  // Before a look at the ids, of which there may be fewer than `ids` says.
  const auto tokens = static_cast<int64_t>(
      std::min(ids.size(), static_cast<size_t>(std::numeric_limits<int64_t>::max())));
  if (absl::Status status = executor_->CheckContext(position_, tokens); !status.ok()) return status;
  return CheckIds(ids);
}

absl::Status Session::Add(absl::Span<const int32_t> ids, int64_t chunk, const LogitsFn* logits) {
  if (absl::Status status = Check(ids, chunk); !status.ok()) return status;
  absl::Cleanup give_up = [this, position = position_] {
    position_ = position;
    last_row_ = -1;
  };
  const Program& program = executor_->program();
  // Rows of logits are never more than tokens.
  const int64_t most = logits == nullptr ? program.max_tokens : program.max_logit_rows;
  const auto step = static_cast<size_t>(chunk == 0 ? most : std::min(chunk, most));
  for (size_t begin = 0; begin < ids.size(); begin += step) {
    const absl::Span<const int32_t> part = ids.subspan(begin, step);
    const auto tokens = static_cast<int64_t>(part.size());
    const int64_t rows = logits == nullptr ? 1 : tokens;
    if (absl::Status status = executor_->Run(part, position_, rows); !status.ok()) {
      if (absl::IsCancelled(status)) {
        std::move(give_up).Cancel();
        last_row_ = -1;
      }
      return status;
    }
    const int64_t first = position_;
    position_ += tokens;
    for (int64_t row = 0; logits != nullptr && row < rows; ++row) {
      if (absl::Status told = (*logits)(first + row, executor_->logits(row)); !told.ok())
        return told;
    }
    last_row_ = rows - 1;
  }
  std::move(give_up).Cancel();
  return absl::OkStatus();
}

absl::Status Session::Prefill(absl::Span<const int32_t> ids, int64_t chunk) {
  return Add(ids, chunk, nullptr);
}

absl::Status Session::Decode(int32_t id) { return Prefill(absl::MakeConstSpan(&id, 1)); }

absl::Status Session::PrefillWithLogits(absl::Span<const int32_t> ids, LogitsFn logits,
                                        int64_t chunk) {
  return Add(ids, chunk, &logits);
}

absl::Span<const float> Session::Logits() const {
  WEFT_CHECK(last_row_ >= 0);
  return executor_->logits(last_row_);
}

int32_t Session::Argmax() const {
  WEFT_CHECK(last_row_ >= 0);
  return executor_->argmax(last_row_);
}

void Session::Reset() {
  position_ = 0;
  last_row_ = -1;
}

}  // namespace weft
