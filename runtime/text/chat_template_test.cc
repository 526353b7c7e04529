#include "runtime/text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "runtime/text/jinja_template.h"

namespace weft {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

// What Jinja itself makes of the templates, written by tests/oracle/make_chat_goldens.py.
const Json& Goldens() {
  static const Json* goldens = [] {
    std::ifstream file("tests/oracle/vectors/chat-templates.json");
    return new Json(Json::parse(file, nullptr, /*allow_exceptions=*/false));
  }();
  return *goldens;
}

std::tm GoldenNow() {
  std::tm now = {};
  std::istringstream(Goldens()["now"].get<std::string>()) >>
      std::get_time(&now, "%Y-%m-%dT%H:%M:%S");
  std::mktime(&now);  // fills in the day of the week and of the year
  return now;
}

void ExpectGolden(const Json& row, const absl::StatusOr<std::string>& result) {
  if (row.contains("expected")) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result, row["expected"].get<std::string>());
    return;
  }
  ASSERT_FALSE(result.ok()) << "should fail with " << row << " but gives: " << *result;
  if (row.contains("raised")) {
    EXPECT_EQ(result.status().message(), row["raised"].get<std::string>());
  }
}

TEST(ChatTemplateGoldens, SnippetsMatchJinja) {
  ASSERT_TRUE(Goldens().is_object()) << "run from the source folder";
  const Json& context = Goldens()["snippet_context"];
  ASSERT_GT(Goldens()["snippets"].size(), 300u);
  for (const Json& row : Goldens()["snippets"]) {
    const std::string source = row["template"];
    SCOPED_TRACE(source);
    absl::StatusOr<std::string> result = std::string();
    absl::StatusOr<jinja::Template> parsed = jinja::Template::Parse(source);
    result = parsed.ok() ? parsed->Render(context, GoldenNow()) : parsed.status();
    ExpectGolden(row, result);
  }
}

// What a rendering may take is far from what real templates do: of each bound a tenth, of the stack
// a quarter.
TEST(ChatTemplateGoldens, LongConversationsTakeATenthOfTheLimits) {
  ASSERT_TRUE(Goldens().is_object()) << "run from the source folder";
  Json messages = Json::array();
  for (int i = 0; i < 1000; ++i) {
    messages.push_back(
        {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", std::string(1000, 'x') + "\n"}});
  }
  jinja::Limits limits;
  limits.template_bytes /= 10;
  limits.syntax_depth /= 10;
  limits.call_depth /= 10;
  limits.stack_bytes /= 4;  // how large frames are is the compiler's
  limits.value_depth /= 10;
  limits.text_bytes /= 10;
  limits.total_bytes /= 10;
  limits.steps /= 10;
  limits.seconds /= 10;
  for (const Json& family : Goldens()["families"]) {
    SCOPED_TRACE(family["name"].get<std::string>());
    const auto parsed = jinja::Template::Parse(family["template"].get<std::string>(), limits);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const absl::Status status = parsed
                                    ->Render({{"messages", messages},
                                              {"bos_token", family["bos_token"]},
                                              {"eos_token", family["eos_token"]},
                                              {"add_generation_prompt", true}},
                                             GoldenNow())
                                    .status();
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(ChatTemplateGoldens, FamiliesMatchJinja) {
  ASSERT_TRUE(Goldens().is_object()) << "run from the source folder";
  ASSERT_GT(Goldens()["rows"].size(), 400u);
  for (const Json& row : Goldens()["rows"]) {
    const Json* family = nullptr;
    for (const Json& candidate : Goldens()["families"]) {
      if (candidate["name"] == row["family"]) family = &candidate;
    }
    ASSERT_NE(family, nullptr);
    SCOPED_TRACE(row.dump());
    absl::StatusOr<ChatTemplate> chat = ChatTemplate::Create(
        (*family)["template"].get<std::string>(), (*family)["bos_token"].get<std::string>(),
        (*family)["eos_token"].get<std::string>());
    ASSERT_TRUE(chat.ok()) << chat.status();
    std::vector<ChatMessage> messages;
    for (const Json& message : Goldens()["conversations"][row["conversation"].get<std::string>()]) {
      messages.push_back({message["role"], message["content"]});
    }
    ExpectGolden(row,
                 chat->Render(messages, row["add_generation_prompt"], row["extra"], GoldenNow()));
  }
}

TEST(ChatTemplate, RaisedMessageIsTheStatusMessage) {
  auto chat = ChatTemplate::Create("{{ raise_exception('Roles must alternate') }}", "", "");
  ASSERT_TRUE(chat.ok());
  const auto result = chat->Render({{"user", "x"}}, true);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(result.status().message(), "Roles must alternate");
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  const auto broken = ChatTemplate::Create("a\nb\n{% include 'x' %}", "", "");
  EXPECT_EQ(broken.status().message(),
            "chat template, line 3: the tag 'include' is not supported here");
  auto chat = ChatTemplate::Create("a\n{% if true %}\n{{ messages[9].role }}{% endif %}", "", "");
  ASSERT_TRUE(chat.ok());
  const auto result = chat->Render({}, true);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("chat template, line 3: "));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("has no item 9"));
}

TEST(ChatTemplate, ExtraVariablesReplaceItsOwn) {
  auto chat = ChatTemplate::Create("{{ bos_token }}{{ eos_token }}{{ x }}", "<s>", "</s>");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ(*chat->Render({}, false, {{"x", 5}}), "<s></s>5");
  EXPECT_EQ(*chat->Render({}, false, {{"bos_token", "!"}}), "!</s>");
  EXPECT_FALSE(chat->Render({}, false, Json::array()).ok());
}

TEST(ChatTemplate, NowIsToday) {
  auto chat = ChatTemplate::Create("{{ strftime_now('%Y') }}", "", "");
  ASSERT_TRUE(chat.ok());
  const auto year = chat->Render({}, false);
  ASSERT_TRUE(year.ok());
  EXPECT_GE(std::stoi(*year), 2024);
}

}  // namespace
}  // namespace weft
