#include "runtime/text/chat_template.h"

#include <ctime>
#include <utility>

#include "absl/status/status.h"
#include "runtime/base/clear_json.h"

namespace weft {

absl::StatusOr<ChatTemplate> ChatTemplate::Create(absl::string_view source,
                                                  absl::string_view bos_token,
                                                  absl::string_view eos_token) {
  absl::StatusOr<jinja::Template> parsed = jinja::Template::Parse(source);
  if (!parsed.ok()) return parsed.status();
  return ChatTemplate(*std::move(parsed), bos_token, eos_token);
}

absl::StatusOr<std::string> ChatTemplate::Render(absl::Span<const ChatMessage> messages,
                                                 bool add_generation_prompt,
                                                 const nlohmann::ordered_json& extra) const {
  const std::time_t seconds = std::time(nullptr);
  std::tm now = {};
  localtime_r(&seconds, &now);
  return Render(messages, add_generation_prompt, extra, now);
}

absl::StatusOr<std::string> ChatTemplate::Render(absl::Span<const ChatMessage> messages,
                                                 bool add_generation_prompt,
                                                 const nlohmann::ordered_json& extra,
                                                 const std::tm& now) const {
  if (!extra.is_object()) {
    return absl::InvalidArgumentError(
        "the extra variables of a chat template are not a JSON object");
  }
  // One by one, the list last: lists of initialisers, and tables that grow, free JSON in ways that
  // end the process where memory is out.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
  const ClearsJson clears(variables);
  variables["bos_token"] = bos_token_;
  variables["eos_token"] = eos_token_;
  variables["add_generation_prompt"] = add_generation_prompt;
  nlohmann::ordered_json& list = variables["messages"] = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) {
    nlohmann::ordered_json& object = list.emplace_back(nlohmann::ordered_json::object());
    object["role"] = message.role;
    object["content"] = message.content;
  }
  for (const auto& [name, value] : extra.items()) variables[name] = value;
  return template_.Render(variables, now);
}

}  // namespace weft
