#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/text/terminal_text.h"
#include "tools/json_text.h"
#include "tools/why.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

// A name in a column of its own, where it is new, and what there is to say.
class Lines {
 public:
  void Add(const std::string& name, const std::string& text) {
    absl::StrAppendFormat(&text_, "  %-9s  %s\n", name == last_ ? "" : name, text);
    last_ = name;
  }
  // Not after a line of another subject.
  void Forget() { last_.clear(); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
  std::string last_;
};

std::string Text(const Json& json) { return TerminalLine(json.get<std::string>()); }
int64_t Int(const Json& json) { return json.get<int64_t>(); }
double Float(const Json& json) { return json.get<double>(); }

std::string Bytes(int64_t bytes) {
  return bytes < 100000 ? absl::StrCat(bytes, " B")
                        : absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

std::string Micros(double us) {
  return us < 1e4 ? absl::StrFormat("%.1f us", us) : absl::StrFormat("%.1f ms", us / 1e3);
}

std::string Join(const Json& array, absl::string_view between) {
  return absl::StrJoin(array, between, [](std::string* out, const Json& each) {
    absl::StrAppend(out, each.is_string() ? Text(each) : JsonText(each));
  });
}

void AddSource(const Json& source, Lines* lines) {
  std::string text = absl::StrCat("tensor ", Text(source["tensor"]));
  if (source.contains("file")) {
    absl::StrAppend(&text, " of ", Text(source["file"]), ": ", Text(source["type"]), " [",
                    Join(source["dims"], ","), "], ", Bytes(Int(source["bytes"])), " at byte ",
                    Int(source["offset"]));
  }
  lines->Add("from", text);
  const bool transposed = source["transposed"].get<bool>();
  if (source.contains("rows")) {
    lines->Add("from", absl::StrCat("its rows ", Join(source["rows"], ".."),
                                    transposed ? " after transposing" : ""));
  } else if (transposed) {
    lines->Add("from", "held as its transpose");
  }
}

void AddPasses(const Json& weight, Lines* lines) {
  if (!weight.contains("passes")) {
    lines->Add("passes",
               "what they said is not in the plan: name the model with --source MODEL, or "
               "compile with --record-stages");
    return;
  }
  if (weight["passes"].empty()) lines->Add("passes", "none had anything to say");
  for (const Json& remark : weight["passes"]) {
    lines->Add("passes",
               absl::StrCat(Text(remark["pass"]),
                            remark["done"].get<bool>() ? ": " : ", no: ", Text(remark["text"])));
  }
}

void AddPack(const Json& pack, Lines* lines) {
  lines->Add("packed", absl::StrCat(Text(pack["type"]), ", ", Bytes(Int(pack["bytes"])),
                                    " at byte ", Int(pack["offset"]), " of the weights"));
  if (!pack["with"].empty()) {
    lines->Add("packed", absl::StrCat("rows ", Join(pack["rows"], ".."), " of it; with ",
                                      Join(pack["with"], ", ")));
  }
  if (!pack.contains("panels")) return;
  lines->Add("packed", absl::StrCat(Int(pack["panels"]), " panels of ", Int(pack["panel_rows"]),
                                    " rows, ", Bytes(Int(pack["panel_bytes"])), " each; padded by ",
                                    Int(pack["padding_rows"]), " rows and ",
                                    Int(pack["padding_columns"]), " columns"));
}

std::string TokensText(const Json& loop) {
  const int64_t from = Int(loop["from_tokens"]);
  if (!loop.contains("to_tokens")) return absl::StrCat(from, " tokens and more");
  const int64_t to = Int(loop["to_tokens"]);
  return from == to ? absl::StrCat(from, from == 1 ? " token" : " tokens")
                    : absl::StrCat(from, " to ", to, " tokens");
}

void AddCode(const Json& step, Lines* lines) {
  lines->Add("kernel", Text(step["kernel"]));
  for (const Json& code : step["code"]) {
    const std::string target = Text(code["target"]);
    if (!code.contains("emitter")) {
      lines->Add("kernel", absl::StrCat(target, ": not one that this weft would emit"));
      continue;
    }
    lines->Add("kernel", absl::StrCat(target, ": by emitter ", Text(code["emitter"]),
                                      code["refused"].empty() ? "; none before it" : ", after"));
    for (const Json& refusal : code["refused"])
      lines->Add("kernel", absl::StrCat("  refusal of ", Text(refusal)));
    if (!code.contains("loops")) continue;
    for (const Json& loop : code["loops"]) {
      std::string text =
          absl::StrFormat("  %s: %s loop, %d panel%s x %d token%s at once (%s)", TokensText(loop),
                          Text(loop["loop"]), Int(loop["panels_at_once"]),
                          Int(loop["panels_at_once"]) == 1 ? "" : "s", Int(loop["tokens_at_once"]),
                          Int(loop["tokens_at_once"]) == 1 ? "" : "s", Text(loop["why"]));
      if (loop.contains("panels_in_cache")) {
        absl::StrAppend(&text, "; ", Int(loop["panels_in_cache"]), " panels stay in L2, ",
                        Int(loop["columns_at_once"]), " columns at once");
      }
      lines->Add("kernel", text);
    }
  }
}

void AddTimes(const Json& step, Lines* lines) {
  const Json& one = step["one_token"];
  lines->Add("one token",
             absl::StrFormat("expected %s: %s at the memory roof",
                             Micros(Float(one["expected_us"])), Bytes(Int(one["bytes"]))));
  if (Int(one["calls"]) > 0) {
    lines->Add("one token",
               absl::StrFormat("measured %s, mean of %d: %.1f GB/s, %.0f %% of the roof",
                               Micros(Float(one["mean_us"])), Int(one["calls"]),
                               Float(one["gb_per_s"]), 100 * Float(one["roof_share"])));
  }
  const Json& prompt = step["prompt"];
  if (Int(prompt["calls"]) == 0) return;
  const std::string name = "prompt";
  if (Float(prompt["expected_us"]) > 0) {
    lines->Add(name,
               absl::StrFormat("of %d tokens: expected %s: %.3f GMAC a run at the arithmetic peak",
                               Int(prompt["tokens"]), Micros(Float(prompt["expected_us"])),
                               Float(prompt["macs"]) / 1e9));
  }
  lines->Add(name, absl::StrFormat("measured %s, mean of %d: %.1f GMAC/s, %.0f %% of the peak",
                                   Micros(Float(prompt["mean_us"])), Int(prompt["calls"]),
                                   Float(prompt["gmac_per_s"]), 100 * Float(prompt["peak_share"])));
}

void AddStep(const Json& step, Lines* lines) {
  lines->Forget();
  lines->Add("used by",
             absl::StrCat(Text(step["step"]), ": ", Text(step["kind"]),
                          Text(step["detail"]).empty() ? "" : " of ", Text(step["detail"])));
  AddCode(step, lines);
  std::string work = absl::StrCat(Int(step["partition_units"]), " units, ",
                                  Int(step["units_at_once"]), " taken at once");
  if (step.contains("units_per_thread")) {
    absl::StrAppendFormat(&work, "; %.4g for each of %d threads", Float(step["units_per_thread"]),
                          Int(step["threads"]));
  } else {
    absl::StrAppend(&work, " for each row");
  }
  lines->Add("work", work);
  if (step.contains("streamed_bytes")) {
    lines->Add("work",
               absl::StrFormat("reads %s of weights a run, multiplies %.3f million times a token",
                               Bytes(Int(step["streamed_bytes"])),
                               static_cast<double>(Int(step["macs_per_token"])) / 1e6));
  }
  if (step.contains("one_token")) AddTimes(step, lines);
}

}  // namespace

std::string WhyText(const Json& json) {
  std::string text;
  for (const Json& weight : json["weights"]) {
    Lines lines;
    AddSource(weight["source"], &lines);
    const Json& format = weight["format"];
    lines.Add("format", absl::StrCat(Text(format["format"]), ": ", Text(format["why"])));
    AddPasses(weight, &lines);
    for (const Json& pack : weight["packed"]) AddPack(pack, &lines);
    if (weight.contains("packs_not_listed"))
      lines.Add("packed", absl::StrCat("and in ", Int(weight["packs_not_listed"]), " more packs"));
    if (weight["steps"].empty()) lines.Add("used by", "nothing");
    for (const Json& step : weight["steps"]) AddStep(step, &lines);
    absl::StrAppend(&text, text.empty() ? "" : "\n", Text(weight["weight"]), "\n", lines.Take());
  }
  Lines lines;
  for (const Json& target : json["targets"]) {
    lines.Add("targets", absl::StrCat(Text(target["target"]),
                                      target["chosen"].get<bool>()      ? ", chosen: "
                                      : target["runs_here"].get<bool>() ? ": "
                                                                        : ", refused: ",
                                      Text(target["why"])));
  }
  if (json.contains("roof")) {
    const Json& roof = json["roof"];
    lines.Add("roof", absl::StrFormat("%.1f GB/s of weights; %.0f GMAC/s of q8_0 and %.0f of f32",
                                      Float(roof["gb_per_s"]), Float(roof["gmac_per_s_q8_0"]),
                                      Float(roof["gmac_per_s_f32"])));
  }
  return absl::StrCat(text, "\n", Text(json["model"]), "\n", lines.Take());
}

}  // namespace weft::tools
