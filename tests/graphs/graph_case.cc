#include "tests/graphs/graph_case.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "runtime/abi/check.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"

namespace weft::graphs {
namespace {

template <typename T>
absl::Status ReadInt(absl::string_view text, T* value) {
  if (absl::SimpleAtoi(text, value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no number"));
}

std::string Print(const Variant& variant) {
  return absl::StrCat(
      "variant ", TierName(variant.tier), " threads=", variant.threads, " chunk=", variant.chunk,
      variant.disabled.empty() ? "" : " without=", absl::StrJoin(variant.disabled, ","),
      variant.poison ? " poison" : "", variant.plan ? " plan" : "", "\n");
}

absl::StatusOr<Variant> ParseVariant(absl::Span<const absl::string_view> words) {
  Variant variant;
  bool known = false;
  for (const codegen::Tier tier : AllTiers()) {
    if (!words.empty() && TierName(tier) == words[0]) {
      variant.tier = tier;
      known = true;
    }
  }
  if (!known) return absl::InvalidArgumentError("a variant begins with the name of a target");
  for (absl::string_view word : words.subspan(1)) {
    if (absl::ConsumePrefix(&word, "threads=")) {
      WEFT_RETURN_IF_ERROR(ReadInt(word, &variant.threads));
    } else if (absl::ConsumePrefix(&word, "chunk=")) {
      WEFT_RETURN_IF_ERROR(ReadInt(word, &variant.chunk));
    } else if (absl::ConsumePrefix(&word, "without=")) {
      variant.disabled = absl::StrSplit(word, ',');
    } else if (word == "poison") {
      variant.poison = true;
    } else if (word == "plan") {
      variant.plan = true;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("a variant has no '", word, "'"));
    }
  }
  return variant;
}

absl::Status ParseLine(absl::string_view line, GraphCase* result) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const absl::Span<const absl::string_view> values = absl::MakeConstSpan(words).subspan(1);
  const absl::string_view name = words[0];
  passes::PassOptions& options = result->options;
  if (name == "variant") {
    WEFT_ASSIGN_OR_RETURN(result->variants.emplace_back(), ParseVariant(values));
    return absl::OkStatus();
  }
  if (name == "tokens") {
    for (const absl::string_view value : values)
      WEFT_RETURN_IF_ERROR(ReadInt(value, &result->tokens.emplace_back()));
    return absl::OkStatus();
  }
  if (values.size() != 1)
    return absl::InvalidArgumentError(absl::StrCat("'", line, "' is no name and value"));
  const absl::string_view value = values[0];
  if (name == "seed") return ReadInt(value, &result->weights_seed);
  if (name == "threshold") return ReadInt(value, &options.q8_threshold);
  if (name == "max_tokens") return ReadInt(value, &options.max_tokens);
  if (name == "max_logit_rows") return ReadInt(value, &options.max_logit_rows);
  if (name == "context") return ReadInt(value, &options.context);
  if (name == "weights") {
    WEFT_ASSIGN_OR_RETURN(options.weights, passes::ParseWeightsMode(value));
  } else if (name == "kv") {
    WEFT_ASSIGN_OR_RETURN(options.kv, passes::ParseKvMode(value));
  } else if (name == "format") {
    WEFT_ASSIGN_OR_RETURN(options.formats.emplace_back(), passes::ParseFormatOverride(value));
  } else {
    return absl::InvalidArgumentError(absl::StrCat("there is no option '", name, "'"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<codegen::Tier> AllTiers() {
  return {codegen::Tier::kAvx2, codegen::Tier::kAvxVnni, codegen::Tier::kAvx512Vnni,
          codegen::Tier::kAmxInt8};
}

std::string TierName(codegen::Tier tier) {
  return codegen::KnownTargets()[static_cast<size_t>(tier)];
}

codegen::Target TargetOf(codegen::Tier tier) {
  const CpuFeatures cpu = DetectCpuFeatures();
  absl::StatusOr<codegen::Target> target = codegen::ParseTarget(TierName(tier), cpu);
  WEFT_CHECK(target.ok());
  if (codegen::CheckExecutable(*target, cpu).ok()) return *std::move(target);
  for (codegen::Target& emulated : codegen::EmulatedTargets()) {
    if (emulated.tier == tier) return std::move(emulated);
  }
  WEFT_CHECK(false);
}

std::vector<std::string> OptionalPasses() {
  std::vector<std::string> names;
  for (const passes::Pass& pass : passes::DefaultPipeline()) {
    if (pass.optional) names.emplace_back(pass.name);
  }
  return names;
}

std::vector<std::string> SubsetOfPasses(uint64_t bits) {
  std::vector<std::string> subset;
  const std::vector<std::string> all = OptionalPasses();
  for (size_t i = 0; i < all.size(); ++i) {
    if ((bits >> i & 1) != 0) subset.push_back(all[i]);
  }
  return subset;
}

std::string Print(const GraphCase& graph_case) {
  const passes::PassOptions& options = graph_case.options;
  std::string text = absl::StrCat(
      "seed ", graph_case.weights_seed, "\ntokens ", absl::StrJoin(graph_case.tokens, " "),
      "\nweights ", passes::Name(options.weights), "\nthreshold ", options.q8_threshold, "\nkv ",
      passes::Name(options.kv), "\nmax_tokens ", options.max_tokens, "\nmax_logit_rows ",
      options.max_logit_rows, "\ncontext ", options.context, "\n");
  for (const passes::FormatOverride& format : options.formats)
    absl::StrAppend(&text, "format ", format.pattern, "=", Name(format.format), "\n");
  for (const Variant& variant : graph_case.variants) absl::StrAppend(&text, Print(variant));
  return absl::StrCat(text, ir::Print(graph_case.module));
}

absl::StatusOr<GraphCase> ParseCase(absl::string_view text) {
  GraphCase result;
  while (!text.empty()) {
    if (absl::StartsWith(text, "module")) {
      WEFT_ASSIGN_OR_RETURN(result.module, ir::Parse(text));
      return result;
    }
    const absl::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (absl::StripAsciiWhitespace(line).empty() || absl::StartsWith(line, "#")) continue;
    WEFT_RETURN_IF_ERROR(ParseLine(line, &result));
  }
  return absl::InvalidArgumentError("the case has no module");
}

}  // namespace weft::graphs
