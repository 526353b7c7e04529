#include "runtime/text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

std::optional<UnicodeForm> ParseForm(std::string_view type) {
  if (type == "NFC") return UnicodeForm::kNfc;
  if (type == "NFD") return UnicodeForm::kNfd;
  if (type == "NFKC") return UnicodeForm::kNfkc;
  if (type == "NFKD") return UnicodeForm::kNfkd;
  return std::nullopt;
}

// Rust's str::to_lowercase of one character: U+0130 is the only one that becomes two.
std::string ToLower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (c.code == 0x130) {
      out += "i\u0307";
    } else {
      AppendUtf8(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code)), &out);
    }
    i += c.size;
  }
  return out;
}

std::string_view Strip(std::string_view text, bool left, bool right) {
  size_t begin = 0;
  size_t end = 0;  // one past the last character that is no whitespace
  bool seen_text = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (!IsWhitespace(c.code)) {
      if (!seen_text) begin = i;
      seen_text = true;
      end = i + c.size;
    }
    i += c.size;
  }
  if (!seen_text) return left || right ? std::string_view() : text;
  if (!left) begin = 0;
  if (!right) end = text.size();
  return text.substr(begin, end - begin);
}

}  // namespace

absl::StatusOr<std::string> NormalizeUnicode(std::string_view text, UnicodeForm form,
                                             const TextBudget& budget) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    return std::string(text);
  }
  const bool compat = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  const bool compose = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                      (compat ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    i += c.size;
    std::array<utf8proc_int32_t, 32> buffer{};  // the longest decomposition (U+FDFA) has 18
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c.code), buffer.data(), buffer.size(), options, &boundary);
    WEFT_CHECK(count >= 0 && static_cast<size_t>(count) <= buffer.size());
    codes.insert(codes.end(), buffer.begin(), buffer.begin() + count);
    WEFT_RETURN_IF_ERROR(budget.CheckBytes(codes.size() * sizeof(codes[0])));
  }
  // Canonical order: runs of marks by combining class, stably. utf8proc's own sort is quadratic in
  // the run.
  const auto combining = [](utf8proc_int32_t code) {
    return utf8proc_get_property(code)->combining_class;
  };
  using Mark = std::tuple<int, size_t, utf8proc_int32_t>;  // class, place, code
  std::vector<Mark> marks;
  for (size_t i = 0; i < codes.size();) {
    marks.clear();
    size_t end = i;
    for (; end < codes.size() && combining(codes[end]) != 0; ++end) {
      marks.emplace_back(combining(codes[end]), end, codes[end]);
      WEFT_RETURN_IF_ERROR(
          budget.CheckBytes(codes.size() * sizeof(codes[0]) + marks.size() * sizeof(Mark)));
    }
    std::ranges::sort(marks);
    for (const auto& mark : marks) codes[i++] = std::get<2>(mark);
    i = end + 1;
  }
  if (compose) {
    const utf8proc_ssize_t count = utf8proc_normalize_utf32(
        codes.data(), static_cast<utf8proc_ssize_t>(codes.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    WEFT_CHECK(count >= 0 && static_cast<size_t>(count) <= codes.size());
    codes.resize(static_cast<size_t>(count));
  }
  std::string out;
  out.reserve(text.size());
  for (const utf8proc_int32_t code : codes) AppendUtf8(static_cast<char32_t>(code), &out);
  return out;
}

absl::StatusOr<Replacer> Replacer::Create(const nlohmann::json& config, const std::string& where,
                                          PatternBudget& patterns) {
  JsonFields fields(config, where);
  Replacer result;
  result.content_ = fields.String("content", "");
  JsonFields pattern(fields.RequiredObject("pattern"), fields.Path("pattern"));
  if (!fields.status().ok()) return fields.status();
  if (pattern.Find("Regex") != nullptr) {
    absl::StatusOr<Regex> regex = Regex::Compile(pattern.String("Regex", ""), patterns);
    if (!regex.ok()) {
      pattern.Fail(regex.status().message());
    } else {
      result.regex_.push_back(*std::move(regex));
    }
  } else {
    result.pattern_ = pattern.RequiredString("String");
    if (result.pattern_.empty()) pattern.Fail("'String' must not be empty");
  }
  if (!pattern.status().ok()) return pattern.status();
  return result;
}

absl::StatusOr<std::string> Replacer::Apply(std::string_view text, TextBudget& budget) const {
  std::string out;
  out.reserve(text.size());
  size_t end = 0;
  if (!regex_.empty()) {
    std::vector<TextRange> matches;
    absl::Status status = regex_.front().FindAll(text, budget, &matches);
    for (const TextRange& match : matches) {
      if (status.ok()) status = budget.CheckBytes(out.size() + content_.size());
      if (!status.ok()) return status;
      out.append(text.substr(end, match.begin - end)).append(content_);
      end = match.end;
    }
    if (!status.ok()) return status;
  } else {
    for (size_t at = FindString(text, pattern_, 0); at != std::string_view::npos;
         at = FindString(text, pattern_, end)) {
      absl::Status status = budget.CheckBytes(out.size() + content_.size());
      if (!status.ok()) return status;
      out.append(text.substr(end, at - end)).append(content_);
      end = at + pattern_.size();
    }
  }
  out.append(text.substr(end));
  return out;
}

absl::StatusOr<Normalizer> Normalizer::Create(const nlohmann::json& config,
                                              const std::string& where, PatternBudget& patterns) {
  Normalizer result;
  if (config.is_null()) return result;
  if (absl::Status status = result.AddSteps(config, where, 0, patterns); !status.ok())
    return status;
  return result;
}

absl::Status Normalizer::AddSteps(const nlohmann::json& config, const std::string& where, int depth,
                                  PatternBudget& patterns) {
  JsonFields fields(config, where);
  const std::string type = fields.RequiredString("type");
  if (!fields.status().ok()) return fields.status();
  Step step;
  if (type == "Sequence") {
    if (depth >= kMaxSequenceDepth) fields.Fail("sequences nested too deeply");
    const nlohmann::json& list = fields.RequiredArray("normalizers");
    if (!fields.status().ok()) return fields.status();
    for (size_t i = 0; i < list.size(); ++i) {
      absl::Status status = AddSteps(list[i], fields.Path("normalizers", i), depth + 1, patterns);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (const std::optional<UnicodeForm> form = ParseForm(type); form.has_value()) {
    step.kind = Kind::kUnicode;
    step.form = *form;
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    absl::StatusOr<Replacer> replacer = Replacer::Create(config, where, patterns);
    if (!replacer.ok()) return replacer.status();
    step.replacer.push_back(*std::move(replacer));
  } else if (type == "Prepend") {
    step.kind = Kind::kPrepend;
    step.prepend = fields.RequiredString("prepend");
  } else if (type == "Lowercase") {
    step.kind = Kind::kLowercase;
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.strip_left = fields.Bool("strip_left", true);
    step.strip_right = fields.Bool("strip_right", true);
  } else {
    fields.Fail(absl::StrCat("unknown normalizer ", QuotedText(type),
                             " (known: Sequence, NFC, NFD, NFKC, NFKD, Replace, Prepend, "
                             "Lowercase, Strip)"));
  }
  if (steps_.size() >= kMaxSequenceSteps) fields.Fail("too many steps");
  if (!fields.status().ok()) return fields.status();
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Normalizer::Apply(std::string text, TextBudget& budget) const {
  // For the budget: a step of a short text, and of each byte one that looks at characters.
  constexpr size_t kWorkPerStep = 32;
  constexpr size_t kWorkPerByte = 16;
  for (const Step& step : steps_) {
    const size_t before = text.size() * kWorkPerByte;
    switch (step.kind) {
      case Kind::kUnicode: {
        WEFT_ASSIGN_OR_RETURN(text, NormalizeUnicode(text, step.form, budget));
        break;
      }
      case Kind::kReplace: {
        absl::StatusOr<std::string> replaced = step.replacer.front().Apply(text, budget);
        if (!replaced.ok()) return replaced.status();
        text = *std::move(replaced);
        break;
      }
      case Kind::kPrepend:
        if (!text.empty()) text.insert(0, step.prepend);
        break;
      case Kind::kLowercase:
        text = ToLower(text);
        break;
      case Kind::kStrip:
        text = std::string(Strip(text, step.strip_left, step.strip_right));
        break;
    }
    absl::Status status = budget.CheckBytes(text.size());
    if (status.ok()) status = budget.CheckTime(kWorkPerStep + before + text.size() * kWorkPerByte);
    if (!status.ok()) return status;
  }
  return text;
}

}  // namespace weft
