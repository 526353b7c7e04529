#include "runtime/chat_prompt.h"

#include <optional>

#include "runtime/base/status_macros.h"

namespace weft {

absl::StatusOr<std::string> ChatPrompt(absl::string_view chat_template,
                                       const PlanMetadata& metadata, const Tokenizer& tokenizer,
                                       absl::Span<const ChatMessage> messages) {
  if (chat_template.empty()) return absl::NotFoundError("the model has no chat template");
  std::optional<int32_t> eos = tokenizer.eos_id();
  if (!eos && !metadata.eos_ids.empty()) eos = metadata.eos_ids[0];
  const auto text_of = [&](std::optional<int32_t> id) {
    return id ? std::string(tokenizer.TokenText(*id)) : std::string();
  };
  WEFT_ASSIGN_OR_RETURN(
      const ChatTemplate parsed,
      ChatTemplate::Create(chat_template, text_of(metadata.bos_id), text_of(eos)));
  return parsed.Render(messages, /*add_generation_prompt=*/true);
}

}  // namespace weft
