// A model's chat template: turns a conversation into the text that the model was trained on.
#pragma once

#include <ctime>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "runtime/text/jinja_template.h"

namespace weft {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant", or what else the template knows
  std::string content;
};

class ChatTemplate {
 public:
  // `source` is `chat_template` of tokenizer_config.json, chat_template.jinja, or GGUF's
  // tokenizer.chat_template. The tokens are the texts of the model's BOS and EOS tokens, which
  // templates write themselves; empty if it has none. The rendered text therefore is to be
  // tokenized without adding special tokens, and with special tokens in the text recognised.
  static absl::StatusOr<ChatTemplate> Create(absl::string_view source, absl::string_view bos_token,
                                             absl::string_view eos_token);

  // With `add_generation_prompt` the text ends where the assistant's answer begins. `extra` is a
  // JSON object with further variables for the template (`tools`, `enable_thinking`, …); they
  // replace those of the same name. What the template raises (for roles in an order that it does
  // not accept, say) is an error with its very message.
  absl::StatusOr<std::string> Render(
      absl::Span<const ChatMessage> messages, bool add_generation_prompt,
      const nlohmann::ordered_json& extra = nlohmann::ordered_json::object()) const;
  // The same at a given local time, which templates that tell the date read.
  absl::StatusOr<std::string> Render(absl::Span<const ChatMessage> messages,
                                     bool add_generation_prompt,
                                     const nlohmann::ordered_json& extra, const std::tm& now) const;

 private:
  ChatTemplate(jinja::Template parsed, absl::string_view bos_token, absl::string_view eos_token)
      : template_(std::move(parsed)), bos_token_(bos_token), eos_token_(eos_token) {}

  jinja::Template template_;
  std::string bos_token_;
  std::string eos_token_;
};

}  // namespace weft
