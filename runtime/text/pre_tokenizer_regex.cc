#include "runtime/text/pre_tokenizer_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

// Of a pattern, and of all of a file together. The longest of a known tokenizer has 3 KB
// (deepseek-llm's list of letters).
constexpr size_t kMaxPatternBytes = 64 * 1024;
// Of all ranges of characters of a file that are read without case: the engine looks for the other
// cases of each, 3 ns a character. Known ones have A-Z.
constexpr size_t kMaxCaselessCharacters = size_t{4} * 0x110000;
// Backtracking steps from one start position: `\s*[\r\n]+` gives back each blank of a run once, and
// an alternation of a dozen branches may do that in each branch.
constexpr size_t kStepsPerByte = 32;
constexpr size_t kMinSteps = 1'000'000;
constexpr uint32_t kHeapLimitKib = 128 * 1024;
// PCRE2 compares a character with one after the other of a class's items beyond Latin-1, of two
// bytes or more, 1.25 ns each on a slow machine. So what one character takes is bounded by the
// size of the compiled pattern, and what one item takes of a text, at which no clock is read, by 5
// µs a byte. Known patterns compile to 143 to 463 bytes, deepseek-llm's to some 4 KB.
constexpr size_t kMaxProgramBytes = size_t{16} << 10;
// PCRE2's limit counts neither what a repetition runs over nor the places where a match may begin,
// and a call looks at no clock. So a text is first searched through a window that bounds a call to
// kNearStarts · kNearSteps · (kNearStarts + kAhead) bytes looked at: 0.5 s if all are, at the most
// that a character takes with kNearProgramBytes, and some µs in known tokenizers, whose words are
// short. What needs to see more is done again by a copy of the pattern that calls back between its
// items, which takes twice the time; so is all that larger patterns do.
constexpr size_t kNearProgramBytes = 1024;
constexpr size_t kNearStarts = 64;
constexpr size_t kAhead = 192;
constexpr uint32_t kNearSteps = 128;
constexpr size_t kFarStarts = 4096;
// Of characters; known patterns look back by one. It is walked from each place where a match may
// begin.
constexpr uint32_t kMaxLookbehind = 255;

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
      if (i + 1 < pattern.size() && pattern[i + 1] == 'K') {
        return "\\K, which can begin a match before where it was sought";
      }
      if (i + 1 < pattern.size() && pattern[i + 1] == 'X') {
        return "\\X, a cluster of characters, which looks at all flags before it";
      }
      if (i + 1 < pattern.size() && pattern[i + 1] == 'Q') {
        return "\\Q, which quotes in one engine and is a letter in the other";
      }
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
    } else if (c == '(' && pattern.substr(i).starts_with("(?#")) {
      return "a comment (?#…)";
    } else if (c == '(' && pattern.substr(i).starts_with("(*")) {
      return "a verb (*…)";
    } else if (c == '}' && pattern.substr(i).starts_with("}+")) {
      return "{n,m}+ is possessive in one engine and a repetition of the repetition in the other";
    }
  }
  return {};
}

// Whether an option may turn case off anywhere, (?i) or (?i:…).
bool MayIgnoreCase(std::string_view pattern) {
  for (size_t at = pattern.find("(?"); at != std::string_view::npos;
       at = pattern.find("(?", at + 2)) {
    const size_t end =
        pattern.find_first_not_of("^-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", at + 2);
    if (pattern.substr(at, end - at).find('i') != std::string_view::npos) return true;
  }
  return false;
}

// A character of a pattern, as it stands or as \x{…}; of other escapes, which may mean any.
struct PatternChar {
  std::optional<char32_t> code;
  size_t size;
};
PatternChar ReadPatternChar(std::string_view pattern, size_t at) {
  if (pattern[at] != '\\') {
    const Utf8Char c = DecodeUtf8(pattern, at);
    return {c.code, c.size};
  }
  if (pattern.substr(at).starts_with("\\x{")) {
    const size_t close = std::min(pattern.find('}', at), pattern.size() - 1);
    uint32_t code = 0;
    const char* const end = pattern.data() + close;
    if (std::from_chars(pattern.data() + at + 3, end, code, 16).ptr == end)
      return {char32_t{code}, close + 1 - at};
  }
  return {std::nullopt, std::min<size_t>(2, pattern.size() - at)};
}

// How many characters the ranges of a pattern have, or more: of whatever looks like one, in a class
// or not.
size_t CharactersInRanges(std::string_view pattern) {
  size_t sum = 0;
  std::optional<char32_t> first;
  for (size_t i = 0; i < pattern.size();) {
    const PatternChar c = ReadPatternChar(pattern, i);
    if (c.code == U'-') {
      // Blanks mean nothing in a class under (?xx).
      const size_t next = pattern.find_first_not_of(" \t", i + 1);
      if (next == std::string_view::npos) break;
      const size_t last = ReadPatternChar(pattern, next).code.value_or(0x10FFFF);
      if (last >= first.value_or(0)) sum += last - first.value_or(0) + 1;
    }
    if (c.code != U'\t' && c.code != U' ') first = c.code;
    i += c.size;
  }
  return sum;
}

struct FreeEngine {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

// Match data keeps the engine's working memory between calls; one per thread serves every pattern,
// since only the whole match (pair 0) is read.
struct Engine {
  const std::unique_ptr<pcre2_match_data, FreeEngine> data{pcre2_match_data_create(1, nullptr)};
  const std::unique_ptr<pcre2_match_context, FreeEngine> near{pcre2_match_context_create(nullptr)};
  const std::unique_ptr<pcre2_match_context, FreeEngine> far{pcre2_match_context_create(nullptr)};

  Engine() {
    if (near == nullptr || far == nullptr) return;
    pcre2_set_match_limit(near.get(), kNearSteps);
    for (pcre2_match_context* context : {near.get(), far.get()})
      pcre2_set_heap_limit(context, kHeapLimitKib);
  }
  bool complete() const { return data != nullptr && near != nullptr && far != nullptr; }
};

Engine& ThreadEngine() {
  thread_local Engine engine;
  return engine;
}

// Called before each item of the pattern.
int CallBack(pcre2_callout_block* /*block*/, void* budget) {
  return static_cast<TextBudget*>(budget)->TimeIsUpAnyway() ? PCRE2_ERROR_CALLOUT : 0;
}

// Nothing where the pattern is wrong.
pcre2_code* CompileCode(std::string_view pattern, uint32_t options, int* error,
                        PCRE2_SIZE* offset) {
  // Ruby syntax: ^ and $ match at every line.
  return pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                       options | PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                           PCRE2_USE_OFFSET_LIMIT,
                       error, offset, nullptr);
}

}  // namespace

struct Regex::Program {
  Program(pcre2_code* plain, pcre2_code* watched) : plain(plain), watched(watched) {
    pcre2_pattern_info(plain, PCRE2_INFO_SIZE, &bytes);
    pcre2_pattern_info(plain, PCRE2_INFO_MAXLOOKBEHIND, &lookbehind);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    pcre2_code_free(plain);
    pcre2_code_free(watched);
  }

  pcre2_code* const plain;
  pcre2_code* const watched;  // calls back between its items
  size_t bytes = 0;
  uint32_t lookbehind = 0;  // characters
};

std::string PatternBudget::Refusal(std::string_view pattern) {
  bytes_ += pattern.size();
  if (bytes_ > kMaxPatternBytes) {
    return absl::StrCat("the regular expressions of the file have more than ", kMaxPatternBytes,
                        " bytes");
  }
  if (MayIgnoreCase(pattern)) caseless_ += CharactersInRanges(pattern);
  if (caseless_ > kMaxCaselessCharacters) {
    return absl::StrCat("the ranges of regular expressions without case have more than ",
                        kMaxCaselessCharacters, " characters");
  }
  if (time_.TimeIsUp(TextBudget::kWorkPerReading)) return "the regular expressions take too long";
  return "";
}

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern, PatternBudget& budget) {
  if (pattern.size() > kMaxPatternBytes) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression of ", pattern.size(),
                                                   " bytes; the most is ", kMaxPatternBytes));
  }
  if (const std::string_view foreign = FindForeignSyntax(pattern); !foreign.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression ",
                                                   QuotedText(ToAbsl(pattern)),
                                                   " is not supported: ", ToAbsl(foreign)));
  }
  if (const std::string refusal = budget.Refusal(pattern); !refusal.empty())
    return absl::InvalidArgumentError(refusal);
  int error = 0;
  PCRE2_SIZE offset = 0;
  const auto program =
      std::make_shared<const Program>(CompileCode(pattern, 0, &error, &offset),
                                      CompileCode(pattern, PCRE2_AUTO_CALLOUT, &error, &offset));
  if (program->plain == nullptr || program->watched == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression ",
                                                   QuotedText(ToAbsl(pattern)), " at byte ", offset,
                                                   ": ", ErrorText(error)));
  }
  if (program->bytes > kMaxProgramBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a regular expression of ", pattern.size(),
                                                   " bytes compiles to ", program->bytes,
                                                   " bytes; the most is ", kMaxProgramBytes));
  }
  if (program->lookbehind > kMaxLookbehind) {
    return absl::InvalidArgumentError(
        absl::StrCat("regular expression ", QuotedText(ToAbsl(pattern)), " looks back by ",
                     program->lookbehind, " characters; the most is ", kMaxLookbehind));
  }
  return Regex(program);
}

absl::Status Regex::FindAll(std::string_view text, TextBudget& budget,
                            std::vector<TextRange>* matches) const {
  Engine& engine = ThreadEngine();
  if (!engine.complete())
    return absl::ResourceExhaustedError("no memory to match a regular expression");
  const size_t steps = std::max(kMinSteps, text.size() * kStepsPerByte);
  pcre2_set_match_limit(engine.far.get(),
                        static_cast<uint32_t>(std::min<size_t>(steps, UINT32_MAX)));
  const auto took_too_long = [&](size_t position) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a regular expression of the tokenizer took too long up to byte ", position,
                     " of a text of ", text.size(), " bytes"));
  };

  const bool near = program_->bytes <= kNearProgramBytes;
  const size_t starts = near ? kNearStarts : kFarStarts;
  bool after_match = false;
  for (size_t position = 0; position <= text.size();) {
    if (budget.TimeIsUpAnyway()) return took_too_long(position);
    // Matches begin before `last`, which is the end, or within the window.
    const size_t last = std::min(text.size(), position + starts);
    const int result = Find(text, position, last, near, budget);
    if (result == PCRE2_ERROR_CALLOUT) return took_too_long(position);
    if (result == PCRE2_ERROR_NOMATCH) {
      if (last == text.size()) break;
      position = last;  // which was tried; again is harmless, and it may be within a character
      while (position > 0 && IsContinuation(text[position])) --position;
      after_match = false;
      continue;
    }
    if (result < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a regular expression of the tokenizer gave up at byte ", position,
                       " of a text of ", text.size(), " bytes: ", ErrorText(result)));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(engine.data.get());
    const size_t begin = range[0];
    const size_t end = range[1];
    // Only \K can do that, which Compile refuses where it sees it.
    if (begin < position || end < begin) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a regular expression of the tokenizer goes back from byte ", position));
    }
    WEFT_RETURN_IF_ERROR(budget.CheckBytes((matches->size() + 1) * sizeof(TextRange)));
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

// As pcre2_match, of matches that begin from `position` to `last`, first through the window if
// `near`. PCRE2_ERROR_CALLOUT where the budget's time is over.
int Regex::Find(std::string_view text, size_t position, size_t last, bool near,
                TextBudget& budget) const {
  Engine& engine = ThreadEngine();
  const auto match = [&](const pcre2_code* code, size_t size, uint32_t options,
                         pcre2_match_context* context) {
    pcre2_set_offset_limit(context, last);
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), size, position,
                       PCRE2_NO_UTF_CHECK | options, engine.data.get(), context);
  };
  if (near) {
    size_t end = std::min(text.size(), last + kAhead);
    while (end < text.size() && IsContinuation(text[end])) --end;
    // A partial match is one that looked at what would follow the end.
    const int result =
        match(program_->plain, end, end < text.size() ? PCRE2_PARTIAL_HARD : 0, engine.near.get());
    if (result != PCRE2_ERROR_PARTIAL && result != PCRE2_ERROR_MATCHLIMIT) return result;
  }
  pcre2_set_callout(engine.far.get(), CallBack, &budget);
  return match(program_->watched, text.size(), 0, engine.far.get());
}

}  // namespace weft
