#include "runtime/text/tokenizer_decoder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/text/bpe.h"
#include "runtime/text/bpe_bytes.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

std::string_view StripPiece(std::string_view piece, std::string_view content, size_t start,
                            size_t stop) {
  for (; start > 0 && piece.starts_with(content); --start) piece.remove_prefix(content.size());
  for (; stop > 0 && piece.ends_with(content); --stop) piece.remove_suffix(content.size());
  return piece;
}

// The only failure is a step that makes too much of the text, or takes too long; the piece then
// stays as it is. What a step makes counts even where a later one takes it away, so that bytes
// bound the time of strings, and no clock is read for them.
std::string ReplaceOrKeep(const Replacer& replacer, std::string_view piece, TextBudget& budget) {
  const bool timed = replacer.is_regex() && budget.Resume();
  absl::StatusOr<std::string> replaced = replacer.Apply(piece, budget);
  if (timed) budget.Pause();
  if (!replaced.ok()) return std::string(piece);
  budget.Spend(replaced->size());
  return *std::move(replaced);
}

// Of a text before its first token; paused, as what computes tokens takes time of the thread too.
TextBudget StreamBudget() {
  TextBudget budget(size_t{64} << 10, /*seconds=*/1);
  budget.Pause();
  return budget;
}

}  // namespace

absl::StatusOr<Decoder> Decoder::Create(const nlohmann::json& config, const std::string& where,
                                        PatternBudget& patterns) {
  Decoder result;
  if (config.is_null()) {
    result.steps_.push_back({.kind = Kind::kJoin});
    return result;
  }
  if (absl::Status status = result.AddSteps(config, where, 0, patterns); !status.ok())
    return status;
  return result;
}

absl::Status Decoder::AddSteps(const nlohmann::json& config, const std::string& where, int depth,
                               PatternBudget& patterns) {
  JsonFields fields(config, where);
  const std::string type = fields.RequiredString("type");
  if (!fields.status().ok()) return fields.status();
  if (type == "Sequence") {
    if (depth >= kMaxSequenceDepth) fields.Fail("sequences nested too deeply");
    const nlohmann::json& list = fields.RequiredArray("decoders");
    if (!fields.status().ok()) return fields.status();
    for (size_t i = 0; i < list.size(); ++i) {
      absl::Status status = AddSteps(list[i], fields.Path("decoders", i), depth + 1, patterns);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (type == "Fuse") {
    fused_ = true;
    return absl::OkStatus();
  }
  Step step;
  if (type == "Strip") {
    step.kind = fused_ ? Kind::kFusedStrip : Kind::kStrip;
    step.content = fields.RequiredString("content");
    if (step.content.empty() || DecodeUtf8(step.content, 0).size != step.content.size()) {
      fields.Fail("'content' must be one character");
    }
    step.start = static_cast<size_t>(fields.RequiredInt("start", 0, INT32_MAX));
    step.stop = static_cast<size_t>(fields.RequiredInt("stop", 0, INT32_MAX));
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    absl::StatusOr<Replacer> replacer = Replacer::Create(config, where, patterns);
    if (!replacer.ok()) return replacer.status();
    step.replacer.push_back(*std::move(replacer));
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    absl::StatusOr<MetaspaceConfig> metaspace = ParseMetaspace(config, where);
    if (!metaspace.ok()) return metaspace.status();
    step.metaspace = *std::move(metaspace);
  } else {
    fields.Fail(absl::StrCat("unknown decoder ", QuotedText(type),
                             " (known: Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, "
                             "Metaspace)"));
  }
  if (fused_ && step.kind != Kind::kFusedStrip) {
    fields.Fail(absl::StrCat("decoder '", type, "' after Fuse or ByteLevel is not supported"));
  }
  if (steps_.size() >= kMaxSequenceSteps) fields.Fail("too many steps");
  if (!fields.status().ok()) return fields.status();
  if (step.kind == Kind::kByteLevel) fused_ = true;
  const bool byte_runs_before = std::any_of(steps_.begin(), steps_.end(), [](const Step& earlier) {
    return earlier.kind == Kind::kByteFallback;
  });
  if (byte_runs_before && step.kind != Kind::kFusedStrip) whole_runs_ = true;
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

std::string Decoder::TokenBytes(std::string_view token, TextBudget& budget) const {
  std::string bytes(token);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kByteLevel: {
        std::string decoded;
        if (AppendFromByteAlphabet(bytes, &decoded)) bytes = std::move(decoded);
        break;
      }
      case Kind::kReplace:
        bytes = ReplaceOrKeep(step.replacer.front(), bytes, budget);
        break;
      case Kind::kByteFallback:
        if (const int byte = ByteOfToken(bytes); byte >= 0) {
          return std::string(1, static_cast<char>(byte));
        }
        break;
      case Kind::kMetaspace:
        bytes = absl::StrReplaceAll(bytes, {{step.metaspace.replacement, " "}});
        break;
      case Kind::kStrip:
      case Kind::kFusedStrip:
      case Kind::kJoin:
        break;
    }
  }
  return bytes;
}

Decoder::Stream::Stream(const Decoder& decoder, ByteRuns byte_runs)
    : decoder_(&decoder),
      byte_runs_(decoder.whole_runs_ ? ByteRuns::kWhole : byte_runs),
      budget_(StreamBudget()) {
  Reset();
}

void Decoder::Stream::Reset() {
  budget_ = StreamBudget();
  states_.assign(decoder_->steps_.size(), State());
  for (size_t i = 0; i < states_.size(); ++i) states_[i].left = decoder_->steps_[i].start;
}

void Decoder::Stream::Add(std::string_view token, std::string* out) {
  budget_.Allow(token.size());
  Push(0, token, out);
}

void Decoder::Stream::Finish(std::string* out) {
  for (size_t step = 0; step < states_.size(); ++step) Flush(step, out);
  Reset();
}

void Decoder::Stream::Push(size_t step, std::string_view piece, std::string* out) {
  if (step == states_.size()) {
    out->append(piece);
    return;
  }
  const Step& config = decoder_->steps_[step];
  State& state = states_[step];
  switch (config.kind) {
    case Kind::kByteLevel: {
      if (!AppendFromByteAlphabet(piece, &state.held)) state.held.append(piece);
      const std::string bytes = std::move(state.held);
      const size_t ready = bytes.size() - IncompleteUtf8Suffix(bytes);
      state.held = bytes.substr(ready);
      if (ready > 0) Push(step + 1, RepairUtf8(std::string_view(bytes).substr(0, ready)), out);
      break;
    }
    case Kind::kReplace:
      Push(step + 1, ReplaceOrKeep(config.replacer.front(), piece, budget_), out);
      break;
    case Kind::kByteFallback:
      PushBytes(step, piece, out);
      break;
    case Kind::kStrip:
      Push(step + 1, StripPiece(piece, config.content, config.start, config.stop), out);
      break;
    case Kind::kFusedStrip:
      PushFusedStrip(step, piece, out);
      break;
    case Kind::kMetaspace: {
      const bool drop =
          !state.started && config.metaspace.prepend != MetaspaceConfig::Prepend::kNever;
      state.started = true;
      Push(step + 1,
           absl::StrReplaceAll(ToAbsl(piece), {{config.metaspace.replacement, drop ? "" : " "}}),
           out);
      break;
    }
    case Kind::kJoin:
      if (state.started) Push(step + 1, " ", out);
      state.started = true;
      Push(step + 1, piece, out);
      break;
  }
}

void Decoder::Stream::Flush(size_t step, std::string* out) {
  State& state = states_[step];
  switch (decoder_->steps_[step].kind) {
    case Kind::kByteLevel:
      if (!state.held.empty()) Push(step + 1, RepairUtf8(std::exchange(state.held, "")), out);
      break;
    case Kind::kByteFallback:
      EmitByteRun(step, /*ended=*/true, out);
      break;
    case Kind::kFusedStrip:  // what is held is what Strip takes from the end
    case Kind::kReplace:
    case Kind::kStrip:
    case Kind::kMetaspace:
    case Kind::kJoin:
      break;
  }
}

void Decoder::Stream::PushBytes(size_t step, std::string_view piece, std::string* out) {
  const int byte = ByteOfToken(piece);
  if (byte >= 0) {
    states_[step].held.push_back(static_cast<char>(byte));
    if (byte_runs_ == ByteRuns::kPrompt) EmitByteRun(step, /*ended=*/false, out);
    return;
  }
  EmitByteRun(step, /*ended=*/true, out);
  Push(step + 1, piece, out);
}

void Decoder::Stream::EmitByteRun(size_t step, bool ended, std::string* out) {
  const std::string run = std::exchange(states_[step].held, "");
  if (run.empty()) return;
  if (byte_runs_ == ByteRuns::kWhole) {
    if (IsValidUtf8(run)) {
      Push(step + 1, run, out);
    } else {
      for (size_t i = 0; i < run.size(); ++i) Push(step + 1, kReplacementCharacter, out);
    }
    return;
  }
  const size_t ready = ended ? run.size() : run.size() - IncompleteUtf8Suffix(run);
  for (size_t i = 0; i < ready;) {
    const Utf8Char c = DecodeUtf8(run, i);
    if (c.valid) {
      Push(step + 1, std::string_view(run).substr(i, c.size), out);
    } else {
      for (size_t b = 0; b < c.size; ++b) Push(step + 1, kReplacementCharacter, out);
    }
    i += c.size;
  }
  states_[step].held = run.substr(ready);
}

void Decoder::Stream::PushFusedStrip(size_t step, std::string_view piece, std::string* out) {
  const Step& config = decoder_->steps_[step];
  State& state = states_[step];
  while (state.left > 0 && piece.starts_with(config.content)) {
    piece.remove_prefix(config.content.size());
    --state.left;
  }
  if (piece.empty()) return;
  state.left = 0;
  // Of the text so far, up to `stop` trailing characters may turn out to be the last ones.
  std::string_view text = piece;
  size_t blanks = 0;
  while (text.ends_with(config.content)) {
    text.remove_suffix(config.content.size());
    ++blanks;
  }
  std::string ready;
  const auto add_blanks = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) ready += config.content;
  };
  if (text.empty()) {
    blanks += state.blanks;
  } else {
    add_blanks(state.blanks);
    ready += text;
  }
  state.blanks = std::min(blanks, config.stop);
  add_blanks(blanks - state.blanks);
  Push(step + 1, ready, out);
}

}  // namespace weft
