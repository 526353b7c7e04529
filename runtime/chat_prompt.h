// A conversation as the text that a model was trained on.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <string>

#include "runtime/plan/plan_metadata.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/tokenizer.h"

namespace weft {

// `messages` in the model's chat template, to where the assistant's answer begins; to be tokenized
// with kChatEncoding. NotFound where `chat_template` is empty; other errors are the template's.
// `model` is the path that messages begin with.
absl::StatusOr<std::string> ChatPrompt(absl::string_view model, absl::string_view chat_template,
                                       const PlanMetadata& metadata, const Tokenizer& tokenizer,
                                       absl::Span<const ChatMessage> messages);

// Templates write BOS and the tokens that mark roles themselves.
inline constexpr EncodeOptions kChatEncoding = {.add_special = false, .parse_special = true};

}  // namespace weft
