// A chat template and a conversation. What comes before the first NUL is the template, what follows
// it the messages and variables, as a JSON object.
#include "runtime/text/jinja_template.h"
#include "tests/fuzz/fuzz_target.h"

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
