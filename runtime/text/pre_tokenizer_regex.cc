#include "runtime/text/pre_tokenizer_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

// The longest pattern of a known tokenizer has 3 KB (deepseek-llm's list of letters).
constexpr size_t kMaxPatternBytes = 64 * 1024;
// Backtracking steps from one start position: `\s*[\r\n]+` gives back each blank of a run once, and
// an alternation of a dozen branches may do that in each branch.
constexpr size_t kStepsPerByte = 32;
constexpr size_t kMinSteps = 1'000'000;
constexpr uint32_t kHeapLimitKib = 128 * 1024;
// PCRE2's limit counts neither what a possessive repetition runs over nor the calls, of which there
// are as many as matches: a pattern may look at the whole text from every place. So the time of all
// is bounded too, and it is looked at after so many starting points that each may see the text to
// its end.
constexpr size_t kFirstWindow = 256;
constexpr size_t kMostBytesSeen = size_t{1} << 30;  // between two looks at the clock

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) == 0x80; }

std::string ErrorText(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

// Finds what Oniguruma and PCRE2 read differently; empty if nothing.
std::string_view FindForeignSyntax(std::string_view pattern) {
  bool in_class = false;
  size_t class_begin = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (i + 1 < pattern.size() && (pattern[i + 1] == 'h' || pattern[i + 1] == 'H')) {
        return "\\h is a hexadecimal digit in one engine and a blank in the other";
      }
      if (i + 1 < pattern.size() && pattern[i + 1] == 'G') return "\\G, where the search begins";
      ++i;
      // \p{L}, \x{9}: these braces are no repetition.
      if (i + 1 < pattern.size() && pattern[i + 1] == '{') {
        i = std::min(pattern.find('}', i), pattern.size());
      }
    } else if (in_class) {
      if (c == '&' && pattern.substr(i).starts_with("&&")) return "class intersection &&";
      if (c == '[') {
        if (!pattern.substr(i).starts_with("[:")) return "a character class inside another";
        const size_t close = pattern.find(":]", i);
        if (close == std::string_view::npos) return "an unfinished POSIX class";
        i = close + 1;
      } else if (c == ']' && i > class_begin) {
        in_class = false;
      }
    } else if (c == '[') {
      in_class = true;
      class_begin = i + 1;
      if (pattern.substr(class_begin).starts_with("^")) ++class_begin;
    } else if (c == '(' && pattern.substr(i).starts_with("(*")) {
      return "a verb (*…)";
    } else if (c == '}' && pattern.substr(i).starts_with("}+")) {
      return "{n,m}+ is possessive in one engine and a repetition of the repetition in the other";
    }
  }
  return {};
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

// Match data keeps the engine's working memory between calls; one per thread serves every pattern,
// since only the whole match (pair 0) is read.
pcre2_match_data* ThreadMatchData() {
  thread_local const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(
      pcre2_match_data_create(1, nullptr));
  return data.get();
}

}  // namespace

struct Regex::Program {
  explicit Program(pcre2_code* code) : code(code) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { pcre2_code_free(code); }

  pcre2_code* const code;
};

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression of ", pattern.size(),
                                                   " bytes; the most is ", kMaxPatternBytes));
  }
  if (const std::string_view foreign = FindForeignSyntax(pattern); !foreign.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression '", ToAbsl(pattern),
                                                   "' is not supported: ", ToAbsl(foreign)));
  }
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Ruby syntax: ^ and $ match at every line.
  pcre2_code* code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT,
      &error, &offset, nullptr);
  if (code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression '", ToAbsl(pattern),
                                                   "' at byte ", offset, ": ", ErrorText(error)));
  }
  return Regex(std::make_shared<const Program>(code));
}

absl::Status Regex::FindAll(std::string_view text, TextBudget& budget,
                            std::vector<TextRange>* matches) const {
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  pcre2_match_data* data = ThreadMatchData();
  if (context == nullptr || data == nullptr) {
    return absl::ResourceExhaustedError("no memory to match a regular expression");
  }
  const size_t steps = std::max(kMinSteps, text.size() * kStepsPerByte);
  pcre2_set_match_limit(context.get(), static_cast<uint32_t>(std::min<size_t>(steps, UINT32_MAX)));
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);

  const size_t most_starts = std::max(kFirstWindow, kMostBytesSeen / (text.size() + 1));
  size_t window = kFirstWindow;
  bool after_match = false;
  for (size_t position = 0; position <= text.size();) {
    if (budget.TimeIsUp(/*now=*/window > kFirstWindow)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a regular expression of the tokenizer took too long up to byte ", position,
                       " of a text of ", text.size(), " bytes"));
    }
    // Matches begin before `last`, which is the end, or within the window.
    const size_t last = std::min(text.size(), position + window);
    pcre2_set_offset_limit(context.get(), last);
    const int result = pcre2_match(program_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                   text.size(), position, PCRE2_NO_UTF_CHECK, data, context.get());
    if (result == PCRE2_ERROR_NOMATCH && last < text.size()) {
      position = last;  // which was tried; again is harmless, and it may be within a character
      while (position > 0 && IsContinuation(text[position])) --position;
      window = std::min(2 * window, most_starts);
      after_match = false;
      continue;
    }
    if (result == PCRE2_ERROR_NOMATCH) break;
    window = kFirstWindow;
    if (result < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a regular expression of the tokenizer gave up at byte ", position,
                       " of a text of ", text.size(), " bytes: ", ErrorText(result)));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data);
    const size_t begin = range[0];
    const size_t end = std::max(range[1], begin);  // \K in a lookahead can put the end before it
    if (begin == end) {
      if (!after_match || begin != position) matches->push_back({begin, end});
      if (begin >= text.size()) break;
      position = begin + DecodeUtf8(text, begin).size;
      after_match = false;
    } else {
      matches->push_back({begin, end});
      position = end;
      after_match = true;
    }
  }
  return absl::OkStatus();
}

}  // namespace weft
