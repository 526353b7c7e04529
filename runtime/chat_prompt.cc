#include "runtime/chat_prompt.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace weft {

absl::StatusOr<std::string> ChatPrompt(absl::string_view model, absl::string_view chat_template,
                                       const PlanMetadata& metadata, const Tokenizer& tokenizer,
                                       absl::Span<const ChatMessage> messages) {
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(model, ": ", status.message()));
  };
  if (chat_template.empty()) return named(absl::NotFoundError("the model has no chat template"));
  std::optional<int32_t> eos = tokenizer.eos_id();
  if (!eos && !metadata.eos_ids.empty()) eos = metadata.eos_ids[0];
  const auto text_of = [&](std::optional<int32_t> id) {
    return id ? std::string(tokenizer.TokenText(*id)) : std::string();
  };
  const absl::StatusOr<ChatTemplate> parsed =
      ChatTemplate::Create(chat_template, text_of(metadata.bos_id), text_of(eos));
  if (!parsed.ok()) return named(parsed.status());
  absl::StatusOr<std::string> prompt = parsed->Render(messages, /*add_generation_prompt=*/true);
  if (!prompt.ok()) return named(prompt.status());
  return prompt;
}

}  // namespace weft
