#include "tools/explore.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/abi/check.h"
#include "runtime/text/terminal_text.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

// Variants that differ by less are taken to need the same memory.
constexpr double kMemoryMargin = 0.05;
constexpr double kLeastConfidence = 0.9;

// The values of one option in the order in which they are tried, the base's first.
template <typename T>
std::vector<T> InOrder(std::vector<T> values, const T& standard) {
  if (values.empty()) return {standard};
  std::vector<T> ordered;
  if (std::ranges::find(values, standard) != values.end()) ordered.push_back(standard);
  for (const T& value : values) {
    if (std::ranges::find(ordered, value) == ordered.end()) ordered.push_back(value);
  }
  return ordered;
}

// Variants so far, with each value of one option; "" is not to be named.
template <typename T, typename Apply>
std::vector<Variant> Times(const std::vector<Variant>& variants, const std::vector<T>& values,
                           const std::string& flag, Apply apply) {
  std::vector<Variant> product;
  for (const Variant& variant : variants) {
    for (const T& value : values) {
      Variant& next = product.emplace_back(variant);
      apply(value, &next.arguments);
      const std::string text = absl::StrCat(value);
      if (values.size() > 1 && !text.empty())
        absl::StrAppend(&next.name, next.name.empty() ? "" : " ", flag, " ", text);
    }
  }
  return product;
}

MedianInterval SpeedRatio(const std::vector<double>& speed, const std::vector<double>& base) {
  return IntervalOfMedian(PairedRatios(speed, base));
}

std::string Times(const MedianInterval& ratio) {
  if (ratio.confidence <= 0) return absl::StrFormat("%.3f times", ratio.median);
  return absl::StrFormat("%.3f times (%.3f - %.3f)", ratio.median, ratio.low, ratio.high);
}

std::string Speed(const std::vector<double>& values) {
  const MedianInterval interval = IntervalOfMedian(values);
  if (interval.confidence <= 0) return absl::StrFormat("%.1f", interval.median);
  return absl::StrFormat("%.1f (%.1f - %.1f)", interval.median, interval.low, interval.high);
}

std::string Megabytes(int64_t bytes) {
  return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

class Judge {
 public:
  explicit Judge(const Exploration& exploration)
      : exploration_(exploration),
        all_(exploration.variants),
        base_(all_[0]),
        noise_(NoiseOf(base_.decode, exploration.control_decode)) {
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].same_as < 0) measured_.push_back(i);
    }
  }

  Recommendation Decide() {
    std::vector<size_t> left = AccurateEnough();
    WEFT_CHECK(!left.empty());
    const size_t fastest = *std::ranges::max_element(
        left, {}, [this](size_t i) { return SpeedRatio(all_[i].decode, base_.decode).median; });
    std::erase_if(left, [&](size_t i) {
      return i != fastest && noise_.Above(SpeedRatio(all_[fastest].decode, all_[i].decode));
    });
    const std::vector<size_t> as_fast = left;
    const size_t lightest =
        *std::ranges::min_element(left, {}, [this](size_t i) { return all_[i].PeakBytes(); });
    const double most = static_cast<double>(all_[lightest].PeakBytes()) * (1 + kMemoryMargin);
    std::erase_if(left, [&](size_t i) { return static_cast<double>(all_[i].PeakBytes()) > most; });
    adopted_ = std::ranges::find(left, size_t{0}) != left.end()
                   ? 0
                   : *std::ranges::min_element(left, {}, [this](size_t i) { return KlOf(i); });
    Explain(fastest, as_fast);
    return {adopted_, std::move(sentences_)};
  }

 private:
  double KlOf(size_t i) const { return all_[i].score ? all_[i].score->MeanKl() : 0; }
  std::string Name(size_t i) const {
    const std::string name = all_[i].name.empty() ? "as it is" : all_[i].name;
    return i == 0 ? absl::StrCat(name, " (base)") : name;
  }

  std::vector<size_t> AccurateEnough() {
    double least = KlOf(0);
    for (const size_t i : measured_) least = std::min(least, KlOf(i));
    std::vector<size_t> enough;
    for (const size_t i : measured_)
      (KlOf(i) <= least + exploration_.kl_margin ? enough : too_far_).push_back(i);
    return enough;
  }

  template <typename... Args>
  void Say(const absl::FormatSpec<Args...>& format, const Args&... args) {
    sentences_.push_back(absl::StrFormat(format, args...));
  }

  void Explain(size_t fastest, const std::vector<size_t>& as_fast) {
    const ExploredVariant& chosen = all_[adopted_];
    const MedianInterval gain = SpeedRatio(chosen.decode, base_.decode);
    std::vector<std::string> same;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].same_as == static_cast<int>(adopted_)) same.push_back(Name(i));
    }
    Say("Adopt %s%s.", Name(adopted_),
        same.empty() ? "" : absl::StrCat(", to which compiles ", absl::StrJoin(same, ", ")));
    if (adopted_ != 0) {
      Say("It decodes %s as fast as the base, %s.", Times(gain),
          noise_.Above(gain)   ? "which is more than noise"
          : noise_.Below(gain) ? "which is slower by more than noise"
                               : "which is within noise");
    }
    Say("Noise is %.3f - %.3f times: what the base had against itself, loaded twice.", noise_.low,
        noise_.high);
    if (chosen.score) {
      Say("Its mean KL divergence from F32 is %.6f nats, within %g of the least.", KlOf(adopted_),
          exploration_.kl_margin);
    }
    if (adopted_ != 0) {
      const auto ratio =
          static_cast<double>(chosen.PeakBytes()) / static_cast<double>(base_.PeakBytes());
      Say("It takes %s of memory, %.2f times the base's.", Megabytes(chosen.PeakBytes()), ratio);
    }
    for (const size_t i : as_fast) {
      if (i == adopted_) continue;
      Say("%s cannot be told from %s in decoding (%s as fast); it takes %s of memory%s.", Name(i),
          i == fastest ? "it" : "the fastest",
          Times(SpeedRatio(all_[i].decode, all_[i == fastest ? adopted_ : fastest].decode)),
          Megabytes(all_[i].PeakBytes()),
          all_[i].score ? absl::StrFormat(", KL %.6f", KlOf(i)) : "");
    }
    for (const size_t i : measured_) {
      const bool far = std::ranges::find(too_far_, i) != too_far_.end();
      if (far) {
        Say("%s is out: its KL divergence is %.6f nats (it decodes %s as fast as the base).",
            Name(i), KlOf(i), Times(SpeedRatio(all_[i].decode, base_.decode)));
      } else if (std::ranges::find(as_fast, i) == as_fast.end()) {
        Say("%s is slower: %s as fast as %s.", Name(i),
            Times(SpeedRatio(all_[i].decode, all_[fastest].decode)), Name(fastest));
      }
    }
    Prompts();
  }

  // Prefill takes no part in the choice, but is to be known where it is lost.
  void Prompts() {
    const ExploredVariant& chosen = all_[adopted_];
    if (adopted_ == 0 || chosen.prefill.empty()) return;
    const MedianInterval ratio = SpeedRatio(chosen.prefill, base_.prefill);
    const NoiseBand noise = NoiseOf(base_.prefill, exploration_.control_prefill);
    Say("Prompts it takes %s as fast as the base, %s.", Times(ratio),
        noise.Above(ratio)   ? "faster by more than noise"
        : noise.Below(ratio) ? "slower by more than noise"
                             : "which is within noise");
  }

  const Exploration& exploration_;
  const std::vector<ExploredVariant>& all_;
  const ExploredVariant& base_;
  const NoiseBand noise_;
  std::vector<size_t> measured_;
  std::vector<size_t> too_far_;
  size_t adopted_ = 0;
  std::vector<std::string> sentences_;
};

Json IntervalJson(const MedianInterval& interval) {
  const bool known = interval.confidence > 0;
  return {{"median", interval.median},
          {"low", known ? Json(interval.low) : Json(nullptr)},
          {"high", known ? Json(interval.high) : Json(nullptr)},
          {"confidence", known ? Json(interval.confidence) : Json(nullptr)}};
}

}  // namespace

absl::StatusOr<std::vector<Variant>> Variants(const ModelArguments& base,
                                              const ExploredOptions& options) {
  const ModelArguments standard;
  std::vector<Variant> variants = {{"", base}};
  const auto thresholds = InOrder(options.q8_thresholds, standard.q8_threshold);
  const auto weights = InOrder(options.weights, standard.weights);
  const auto kv = InOrder(options.kv, standard.kv);
  const auto targets = InOrder(options.targets, standard.target);
  size_t count = 1;
  for (const size_t values : {thresholds.size(), weights.size(), kv.size(), targets.size(),
                              options.disabled.size() + 1, options.formats.size() + 1}) {
    count = std::min(count * std::min(values, kMaxVariants + 1), kMaxVariants + 1);
  }
  if (count > kMaxVariants) {
    return absl::InvalidArgumentError(absl::StrCat("these values give more than ", kMaxVariants,
                                                   " variants; take fewer at a time"));
  }
  if (count == 1) {
    return absl::InvalidArgumentError(
        "there is nothing to compare: give an option several values, as --q8-threshold 768,1024, "
        "or --disable-pass or --weight-format one");
  }
  variants = Times(variants, thresholds, "--q8-threshold",
                   [](int64_t value, ModelArguments* to) { to->q8_threshold = value; });
  variants = Times(variants, weights, "--weights",
                   [](const std::string& value, ModelArguments* to) { to->weights = value; });
  variants = Times(variants, kv, "--kv",
                   [](const std::string& value, ModelArguments* to) { to->kv = value; });
  variants = Times(variants, targets, "--target",
                   [](const std::string& value, ModelArguments* to) { to->target = value; });
  std::vector<std::string> disabled = {""};
  disabled.insert(disabled.end(), options.disabled.begin(), options.disabled.end());
  variants = Times(variants, InOrder(disabled, std::string()), "--disable-pass",
                   [](const std::string& value, ModelArguments* to) {
                     if (!value.empty()) to->disabled.push_back(value);
                   });
  std::vector<std::string> formats = {""};
  formats.insert(formats.end(), options.formats.begin(), options.formats.end());
  variants = Times(variants, InOrder(formats, std::string()), "--weight-format",
                   [](const std::string& value, ModelArguments* to) {
                     if (!value.empty()) to->formats.push_back(value);
                   });
  return variants;
}

bool NoiseBand::Above(const MedianInterval& ratio) const {
  return ratio.confidence >= kLeastConfidence && ratio.low > high;
}

bool NoiseBand::Below(const MedianInterval& ratio) const {
  return ratio.confidence >= kLeastConfidence && ratio.high < low;
}

NoiseBand NoiseOf(const std::vector<double>& base, const std::vector<double>& control) {
  NoiseBand band;
  const MedianInterval ratio = SpeedRatio(control, base);
  for (const double value : {ratio.low, ratio.high}) {
    if (value <= 0) continue;
    band.low = std::min({band.low, value, 1 / value});
    band.high = std::max({band.high, value, 1 / value});
  }
  return band;
}

Recommendation Recommend(const Exploration& exploration) { return Judge(exploration).Decide(); }

std::string ExplorationText(const Exploration& exploration) {
  const std::vector<ExploredVariant>& variants = exploration.variants;
  const bool scored = variants[0].score.has_value();
  Table table({"variant", "decode tok/s", "to base", "prefill tok/s", "weights MB", "peak MB",
               "mean NLL", "perplexity", "KL from F32"});
  table.AlignRight({1, 2, 3, 4, 5, 6, 7, 8});
  const auto megabytes = [](int64_t bytes) {
    return absl::StrFormat("%.1f", static_cast<double>(bytes) / 1e6);
  };
  for (size_t i = 0; i < variants.size(); ++i) {
    const ExploredVariant& variant = variants[i];
    const std::string shown = variant.name.empty() ? "as it is" : variant.name;
    std::vector<std::string> cells(9);
    cells[0] = i == 0 ? absl::StrCat(shown, " (base)") : shown;
    if (variant.same_as >= 0) {
      const std::string& other = variants[static_cast<size_t>(variant.same_as)].name;
      cells[0] += absl::StrCat(": compiles to the same as ", other.empty() ? "as it is" : other);
      table.Add(std::move(cells));
      continue;
    }
    const MedianInterval ratio = SpeedRatio(variant.decode, variants[0].decode);
    cells[1] = Speed(variant.decode);
    cells[2] = i == 0 ? "1"
               : ratio.confidence <= 0
                   ? absl::StrFormat("%.3f", ratio.median)
                   : absl::StrFormat("%.3f (%.3f - %.3f)", ratio.median, ratio.low, ratio.high);
    cells[3] = Speed(variant.prefill);
    cells[4] = megabytes(variant.weight_bytes);
    cells[5] = megabytes(variant.PeakBytes());
    if (scored) {
      cells[6] = absl::StrFormat("%.5f", variant.score->MeanNll());
      cells[7] = absl::StrFormat("%.3f", std::exp(variant.score->MeanNll()));
      cells[8] = absl::StrFormat("%.6f", variant.score->MeanKl());
    }
    table.Add(std::move(cells));
  }
  const MedianInterval ratio = SpeedRatio(exploration.control_decode, variants[0].decode);
  const size_t rounds = variants[0].decode.size();
  std::string text = absl::StrFormat(
      "%s on %s, %d thread%s: a prompt of %d tokens, then %d tokens, %d round%s in turns\n"
      "medians, and the interval of order statistics with a confidence of %.1f %%; \"to base\" is "
      "of ratios within a round\n",
      TerminalLine(exploration.model), exploration.cpu, exploration.threads,
      exploration.threads == 1 ? "" : "s", exploration.prompt, exploration.generated, rounds,
      rounds == 1 ? "" : "s", 100 * ratio.confidence);
  absl::StrAppend(&text, scored ? absl::StrCat("accuracy on ", TerminalLine(exploration.text), ", ",
                                               variants[0].score->positions, " tokens scored\n")
                                : "accuracy: not measured\n");
  absl::StrAppend(&text, "\n", table.ToString(), "\n");
  for (const std::string& sentence : Recommend(exploration).sentences)
    absl::StrAppend(&text, sentence, "\n");
  return text;
}

nlohmann::ordered_json ExplorationJson(const Exploration& exploration) {
  Json variants = Json::array();
  const ExploredVariant& base = exploration.variants[0];
  for (const ExploredVariant& variant : exploration.variants) {
    Json& json = variants.emplace_back(Json{{"name", variant.name}});
    if (variant.same_as >= 0) {
      json["same_as"] = exploration.variants[static_cast<size_t>(variant.same_as)].name;
      continue;
    }
    json.update({{"weight_bytes", variant.weight_bytes},
                 {"code_bytes", variant.code_bytes},
                 {"kv_bytes", variant.kv_bytes},
                 {"arena_bytes", variant.arena_bytes},
                 {"peak_bytes", variant.PeakBytes()},
                 {"decode_tokens_per_s", IntervalJson(IntervalOfMedian(variant.decode))},
                 {"decode_to_base", IntervalJson(SpeedRatio(variant.decode, base.decode))},
                 {"prefill_tokens_per_s", IntervalJson(IntervalOfMedian(variant.prefill))},
                 {"prefill_to_base", IntervalJson(SpeedRatio(variant.prefill, base.prefill))},
                 {"decode_samples", variant.decode},
                 {"prefill_samples", variant.prefill}});
    if (!variant.score) continue;
    json.update({{"mean_nll", variant.score->MeanNll()},
                 {"perplexity", std::exp(variant.score->MeanNll())},
                 {"mean_kl", variant.score->MeanKl()},
                 {"top1_agreement", variant.score->TopAgreement()}});
  }
  const NoiseBand noise = NoiseOf(base.decode, exploration.control_decode);
  const Recommendation recommendation = Recommend(exploration);
  return {{"model", exploration.model},
          {"cpu", exploration.cpu},
          {"threads", exploration.threads},
          {"prompt_tokens", exploration.prompt},
          {"generated_tokens", exploration.generated},
          {"rounds", base.decode.size()},
          {"text", exploration.text},
          {"scored_tokens", base.score ? base.score->positions : 0},
          {"kl_margin", exploration.kl_margin},
          {"base", base.name},
          {"noise", {{"low", noise.low}, {"high", noise.high}}},
          {"variants", variants},
          {"adopt", exploration.variants[recommendation.adopted].name},
          {"why", recommendation.sentences}};
}

}  // namespace weft::tools
