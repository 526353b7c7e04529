// A chat template and a conversation. What comes before the first NUL is the template, what follows
// it the messages and variables, as a JSON object.
#include "absl/strings/str_cat.h"
#include "runtime/text/jinja_template.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = weft::fuzz::Text(data, size);
  const size_t end = text.find('\0');
  // Tighter than the default, for the fuzzer to see more in its time; as bounded.
  const weft::jinja::Limits limits = {
      .text_bytes = size_t{1} << 18, .total_bytes = size_t{1} << 24, .steps = 100'000};
  const auto parsed = weft::jinja::Template::Parse(text.substr(0, end), limits);
  if (!parsed.ok()) return 0;
  auto variables = nlohmann::ordered_json::object();
  if (end != absl::string_view::npos) {
    const absl::string_view json = text.substr(end + 1);
    auto given = nlohmann::ordered_json::parse(json.begin(), json.end(), nullptr,
                                               /*allow_exceptions=*/false);
    if (given.is_object()) variables = std::move(given);
  }
  const std::tm now = {};
  (void)parsed->Render(variables, now);
  return 0;
}

// The template or the conversation, the latter as JSON.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  const auto mutate = [](absl::string_view input, size_t room, weft::fuzz::Random& random) {
    const size_t end = std::min(input.find('\0'), input.size());
    const absl::string_view text = input.substr(0, end);
    const absl::string_view rest = input.substr(end);
    if (rest.empty() || random() % 4 != 0)
      return absl::StrCat(weft::fuzz::MutateBytes(text, room, random), rest);
    const std::string json = weft::fuzz::MutateJson(rest.substr(1), room, random);
    return json.empty() ? json : absl::StrCat(text, rest.substr(0, 1), json);
  };
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, mutate);
}
