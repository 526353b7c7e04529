#include "tools/profile_compare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/terminal_text.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;  // what is written
using Read = nlohmann::json;

constexpr uint64_t kMaxProfileBytes = 256 << 20;
// Known profiles have some tens of rows; to find the like of each takes the square of it.
constexpr size_t kMaxRows = 1024;
// Known names and dims have some tens of bytes; rows are told apart by them.
constexpr size_t kMaxNameBytes = 512;

// A row of one side, a value per round.
struct Series {
  std::string op;
  std::string dims;
  std::string format;
  std::vector<double> us;  // per token
  double ns = 0;           // of all rounds
  double bytes = 0;        // streamed in all rounds
  bool taken = false;      // has its row in the comparison
};

// One phase of one side.
struct PhaseSeries {
  size_t rounds = 0;
  std::vector<Series> rows;
  std::vector<Series> rest;  // as kRest, then the wall time
};

struct Rest {
  const char* key;
  const char* name;
};
constexpr Rest kRest[] = {{"between_steps_ns", "barriers and waiting"},
                          {"choosing_ns", "choosing tokens"},
                          {"text_ns", "text of tokens"},
                          {"other_ns", "everything else"},
                          {"wall_ns", "wall time"}};

// Looks into documents that may hold anything.
class Reader {
 public:
  explicit Reader(const ComparedSide& side) : side_(side) {}

  absl::StatusOr<double> Number(const Read& object, const char* key) const {
    const auto place = object.is_object() ? object.find(key) : object.end();
    if (place == object.end() || !place->is_number()) return Missing(key);
    const auto value = place->get<double>();
    if (!std::isfinite(value)) return Missing(key);
    return value;
  }
  absl::StatusOr<std::string> Text(const Read& object, const char* key) const {
    const auto place = object.is_object() ? object.find(key) : object.end();
    if (place == object.end() || !place->is_string()) return Missing(key);
    const auto& text = place->get_ref<const std::string&>();
    if (text.size() > kMaxNameBytes) {
      return absl::InvalidArgumentError(absl::StrCat(side_.name, ": '", key, "' has ", text.size(),
                                                     " bytes; the most is ", kMaxNameBytes));
    }
    return text;
  }
  absl::StatusOr<const Read*> Array(const Read& object, const char* key) const {
    const auto place = object.is_object() ? object.find(key) : object.end();
    if (place == object.end() || !place->is_array()) return Missing(key);
    return &*place;
  }

  // By name, in order.
  absl::StatusOr<std::vector<std::pair<std::string, PhaseSeries>>> Phases() const {
    std::vector<std::pair<std::string, PhaseSeries>> phases;
    for (const Read& round : side_.rounds) {
      WEFT_ASSIGN_OR_RETURN(const Read* list, Array(round, "phases"));
      for (const Read& phase : *list) {
        WEFT_ASSIGN_OR_RETURN(const std::string name, Text(phase, "phase"));
        auto place = std::ranges::find(phases, name, &std::pair<std::string, PhaseSeries>::first);
        if (place == phases.end()) place = phases.insert(place, {name, {}});
        if (phases.size() > kMaxRows) return TooMany("phases");
        WEFT_RETURN_IF_ERROR(Add(phase, &place->second));
      }
    }
    return phases;
  }

 private:
  absl::Status Missing(const char* key) const {
    return absl::InvalidArgumentError(absl::StrCat(side_.name,
                                                   ": is no output of weft profile --json: '", key,
                                                   "' is missing, or is not what it should be"));
  }

  absl::Status TooMany(const char* what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(side_.name, ": has more than ", kMaxRows, " kinds of ", what));
  }

  static void AddTo(std::vector<Series>* all, const Series& row, double ns, double bytes,
                    double tokens, size_t round) {
    auto place = std::ranges::find_if(*all, [&row](const Series& other) {
      return other.op == row.op && other.dims == row.dims && other.format == row.format;
    });
    if (place == all->end()) place = all->insert(place, row);
    place->us.resize(round + 1);
    place->us[round] += ns / tokens / 1e3;
    place->ns += ns;
    place->bytes += bytes;
  }

  absl::Status Add(const Read& phase, PhaseSeries* series) const {
    WEFT_ASSIGN_OR_RETURN(const double tokens, Number(phase, "tokens"));
    if (tokens < 1) return Missing("tokens");
    WEFT_ASSIGN_OR_RETURN(const Read* rows, Array(phase, "rows"));
    const size_t round = series->rounds++;
    for (const Read& row : *rows) {
      Series id;
      WEFT_ASSIGN_OR_RETURN(id.op, Text(row, "op"));
      WEFT_ASSIGN_OR_RETURN(id.dims, Text(row, "dims"));
      WEFT_ASSIGN_OR_RETURN(id.format, Text(row, "format"));
      WEFT_ASSIGN_OR_RETURN(const double ns, Number(row, "total_ns"));
      WEFT_ASSIGN_OR_RETURN(const double bytes, Number(row, "weight_bytes"));
      AddTo(&series->rows, id, ns, bytes, tokens, round);
      if (series->rows.size() > kMaxRows) return TooMany("rows");
    }
    for (const Rest& rest : kRest) {
      WEFT_ASSIGN_OR_RETURN(const double ns, Number(phase, rest.key));
      AddTo(&series->rest, {.op = rest.name}, ns, 0, tokens, round);
    }
    return absl::OkStatus();
  }

  const ComparedSide& side_;
};

bool AllPositive(const std::vector<double>& values) {
  return !values.empty() && std::ranges::all_of(values, [](double value) { return value > 0; });
}

MedianInterval RatioOf(const std::vector<double>& a, const std::vector<double>& b, bool in_turns) {
  if (!AllPositive(a) || !AllPositive(b)) return {};
  if (in_turns) return IntervalOfMedian(PairedRatios(b, a));
  // Each misses its median with half of what both together may.
  const MedianInterval of_a = IntervalOfMedian(a, 0.975);
  const MedianInterval of_b = IntervalOfMedian(b, 0.975);
  return {of_b.median / of_a.median, of_b.low / of_a.high, of_b.high / of_a.low,
          std::max(0.0, of_a.confidence + of_b.confidence - 1)};
}

void FillSide(const Series& series, int side, ComparedRow* row) {
  row->op[side] = series.op;
  row->dims[side] = series.dims;
  row->format[side] = series.format;
  row->has[side] = true;
  row->us[side] = Median(series.us);
  row->gb_per_s[side] = series.ns > 0 ? series.bytes / series.ns : 0;
}

ComparedRow RowOf(const Series* a, const Series* b, bool in_turns) {
  ComparedRow row;
  if (a != nullptr) FillSide(*a, 0, &row);
  if (b != nullptr) FillSide(*b, 1, &row);
  if (a != nullptr && b != nullptr) row.ratio = RatioOf(a->us, b->us, in_turns);
  return row;
}

// The one row that is not taken and has this key; null where there is none, or more than one.
using KeyOf = std::function<std::string(const Series&)>;
Series* OnlyOne(std::vector<Series>& rows, const KeyOf& key_of, const std::string& key) {
  Series* found = nullptr;
  for (Series& row : rows) {
    if (row.taken || key_of(row) != key) continue;
    if (found != nullptr) return nullptr;
    found = &row;
  }
  return found;
}

void AddUp(const Series& row, Series* sum) {
  sum->us.resize(std::max(sum->us.size(), row.us.size()));
  for (size_t i = 0; i < row.us.size(); ++i) sum->us[i] += row.us[i];
  sum->ns += row.ns;
  sum->bytes += row.bytes;
}

ComparedPhase ComparePhase(const std::string& name, PhaseSeries a, PhaseSeries b, bool in_turns) {
  ComparedPhase phase{.name = name, .rounds = {a.rounds, b.rounds}};
  // A row that came only in later rounds, or not in the last ones, took no time in the others.
  for (PhaseSeries* side : {&a, &b})
    for (Series& row : side->rows) row.us.resize(side->rounds);
  const KeyOf keys[] = {
      [](const Series& row) { return absl::StrCat(row.op, "|", row.dims, "|", row.format); },
      [](const Series& row) { return absl::StrCat(row.op, "|", row.dims); },
      [](const Series& row) {
        return absl::StrCat(row.op.substr(0, row.op.find(" + ")), "|", row.dims);
      }};
  Series both[2], alone[2];
  for (const KeyOf& key_of : keys) {
    for (Series& row : a.rows) {
      if (row.taken || OnlyOne(a.rows, key_of, key_of(row)) == nullptr) continue;
      Series* const other = OnlyOne(b.rows, key_of, key_of(row));
      if (other == nullptr) continue;
      row.taken = other->taken = true;
      phase.rows.push_back(RowOf(&row, other, in_turns));
      AddUp(row, &both[0]);
      AddUp(*other, &both[1]);
    }
  }
  for (Series& row : a.rows) {
    if (row.taken) continue;
    phase.rows.push_back(RowOf(&row, nullptr, in_turns));
    AddUp(row, &alone[0]);
  }
  for (Series& row : b.rows) {
    if (row.taken) continue;
    phase.rows.push_back(RowOf(nullptr, &row, in_turns));
    AddUp(row, &alone[1]);
  }
  const auto key = [](const ComparedRow& row) {
    return std::tuple(row.has[0] && row.has[1] ? 0 : 1, -std::max(row.us[0], row.us[1]), row.op[0],
                      row.op[1]);
  };
  std::ranges::sort(phase.rows, {}, key);
  for (Series& sum : both) sum.op = "rows of both";
  for (Series& sum : alone) sum.op = "rows of one alone";
  if (!both[0].us.empty()) phase.totals.push_back(RowOf(both, both + 1, in_turns));
  const Series* only[2];
  for (int side = 0; side < 2; ++side) only[side] = alone[side].us.empty() ? nullptr : alone + side;
  if (only[0] != nullptr || only[1] != nullptr)
    phase.totals.push_back(RowOf(only[0], only[1], in_turns));
  for (size_t i = 0; i < std::size(kRest); ++i)
    phase.totals.push_back(RowOf(&a.rest[i], &b.rest[i], in_turns));
  return phase;
}

// What stands in a cell for both sides.
std::string OfBoth(const std::string (&values)[2], const bool (&has)[2]) {
  if (!has[1] || (has[0] && values[0] == values[1])) return values[0];
  return has[0] ? absl::StrCat(values[0], " : ", values[1]) : values[1];
}

std::string IntervalText(const MedianInterval& ratio) {
  if (ratio.confidence <= 0) return "";
  return absl::StrFormat("%.3f - %.3f", ratio.low, ratio.high);
}

void AddRow(const ComparedRow& row, Table* table) {
  const auto number = [](bool has, double value) {
    return has && value > 0 ? absl::StrFormat("%.1f", value) : "-";
  };
  const bool both = row.has[0] && row.has[1];
  const std::string ratio = !both                   ? (row.has[0] ? "only A" : "only B")
                            : row.ratio.median <= 0 ? "-"
                                                    : absl::StrFormat("%.3f", row.ratio.median);
  table->Add({OfBoth(row.op, row.has), OfBoth(row.dims, row.has), OfBoth(row.format, row.has),
              number(row.has[0], row.us[0]), number(row.has[1], row.us[1]), ratio,
              IntervalText(row.ratio), number(row.has[0], row.gb_per_s[0]),
              number(row.has[1], row.gb_per_s[1])});
}

// Of the phase with the most rounds: what the ratios are.
std::string HowMeasured(const Comparison& comparison) {
  size_t rounds[2] = {0, 0};
  double confidence = 0;
  for (const ComparedPhase& phase : comparison.phases) {
    for (int side = 0; side < 2; ++side) rounds[side] = std::max(rounds[side], phase.rounds[side]);
    for (const ComparedRow& row : phase.totals)
      confidence = std::max(confidence, row.ratio.confidence);
  }
  std::string text = "B/A is B's time over A's: below 1, B is faster.\n";
  if (comparison.in_turns) {
    absl::StrAppend(&text, rounds[0], rounds[0] == 1 ? " round" : " rounds",
                    " in turns; ratios are the median of those of the rounds");
    return absl::StrCat(
        text, confidence <= 0
                  ? "; one round has no interval.\n"
                  : absl::StrFormat(", and in the interval beside them lies the median of all "
                                    "rounds that could have been,\nwith a confidence of %.1f %%.\n",
                                    100 * confidence));
  }
  absl::StrAppend(&text,
                  "The two were not measured in turns: what else changed on the machine between "
                  "them is in the ratios.\n");
  return absl::StrCat(
      text, confidence <= 0
                ? "There is no interval to tell by how much. Models or plans instead of files "
                  "are measured in turns.\n"
                : absl::StrFormat("Intervals (confidence %.1f %%) tell what varied within each, "
                                  "from round to round, not what did between them.\n",
                                  100 * confidence));
}

Json RowJson(const ComparedRow& row) {
  Json json;
  for (int side = 0; side < 2; ++side) {
    json[side == 0 ? "a" : "b"] = row.has[side] ? Json{{"op", row.op[side]},
                                                       {"dims", row.dims[side]},
                                                       {"format", row.format[side]},
                                                       {"us_per_token", row.us[side]},
                                                       {"gb_per_s", row.gb_per_s[side]}}
                                                : Json(nullptr);
  }
  const bool ratio = row.ratio.median > 0;
  const bool interval = row.ratio.confidence > 0;
  json["ratio"] = ratio ? Json(row.ratio.median) : Json(nullptr);
  json["ratio_low"] = interval ? Json(row.ratio.low) : Json(nullptr);
  json["ratio_high"] = interval ? Json(row.ratio.high) : Json(nullptr);
  json["confidence"] = interval ? Json(row.ratio.confidence) : Json(nullptr);
  return json;
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

absl::StatusOr<Comparison> Compare(const ComparedSide& a, const ComparedSide& b, bool in_turns) {
  Comparison comparison{.in_turns = in_turns};
  std::vector<std::pair<std::string, PhaseSeries>> phases[2];
  const ComparedSide* const sides[] = {&a, &b};
  for (int i = 0; i < 2; ++i) {
    const Reader reader(*sides[i]);
    WEFT_ASSIGN_OR_RETURN(phases[i], reader.Phases());
    const Read none;
    const Read& round = sides[i]->rounds.empty() ? none : sides[i]->rounds[0];
    comparison.name[i] = sides[i]->name;
    WEFT_ASSIGN_OR_RETURN(comparison.model[i], reader.Text(round, "model"));
    WEFT_ASSIGN_OR_RETURN(comparison.target[i], reader.Text(round, "target"));
    WEFT_ASSIGN_OR_RETURN(const double threads, reader.Number(round, "threads"));
    comparison.threads[i] = static_cast<int64_t>(std::clamp(threads, 0.0, 1e6));
  }
  for (auto& [name, of_a] : phases[0]) {
    const auto of_b =
        std::ranges::find(phases[1], name, &std::pair<std::string, PhaseSeries>::first);
    if (of_b == phases[1].end()) continue;
    comparison.phases.push_back(
        ComparePhase(name, std::move(of_a), std::move(of_b->second), in_turns));
  }
  if (comparison.phases.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(a.name, " and ", b.name, ": have no phase in common"));
  }
  return comparison;
}

std::string ComparisonText(const Comparison& comparison) {
  std::string text;
  for (int side = 0; side < 2; ++side) {
    absl::StrAppendFormat(&text, "%s: %s, %s for %s, %d thread%s\n", side == 0 ? "A" : "B",
                          TerminalLine(comparison.name[side]), TerminalLine(comparison.model[side]),
                          TerminalLine(comparison.target[side]), comparison.threads[side],
                          comparison.threads[side] == 1 ? "" : "s");
  }
  absl::StrAppend(&text, HowMeasured(comparison));
  for (const ComparedPhase& phase : comparison.phases) {
    Table table({"op", "dims", "format", "A us/token", "B us/token", "B/A", "interval", "A GB/s",
                 "B GB/s"});
    table.AlignRight({3, 4, 5, 6, 7, 8});
    for (const ComparedRow& row : phase.rows) AddRow(row, &table);
    for (const ComparedRow& row : phase.totals) AddRow(row, &table);
    absl::StrAppend(&text, "\n", phase.name, "\n\n", table.ToString());
  }
  return text;
}

nlohmann::ordered_json ComparisonJson(const Comparison& comparison) {
  Json json;
  for (int side = 0; side < 2; ++side) {
    json[side == 0 ? "a" : "b"] = {{"name", comparison.name[side]},
                                   {"model", comparison.model[side]},
                                   {"target", comparison.target[side]},
                                   {"threads", comparison.threads[side]}};
  }
  json["in_turns"] = comparison.in_turns;
  json["phases"] = Json::array();
  for (const ComparedPhase& phase : comparison.phases) {
    Json rows = Json::array();
    Json totals = Json::array();
    for (const ComparedRow& row : phase.rows) rows.push_back(RowJson(row));
    for (const ComparedRow& row : phase.totals) totals.push_back(RowJson(row));
    json["phases"].push_back({{"phase", phase.name},
                              {"rounds", {phase.rounds[0], phase.rounds[1]}},
                              {"rows", rows},
                              {"totals", totals}});
  }
  return json;
}

std::string ComparisonCsv(const Comparison& comparison) {
  std::string text =
      "phase,a_op,b_op,a_dims,b_dims,a_format,b_format,a_us_per_token,b_us_per_token,ratio,"
      "ratio_low,ratio_high,confidence,a_gb_per_s,b_gb_per_s\n";
  const auto number = [](bool has, double value) {
    return has ? absl::StrFormat("%.6g", value) : std::string();
  };
  for (const ComparedPhase& phase : comparison.phases) {
    std::vector<ComparedRow> rows = phase.rows;
    rows.insert(rows.end(), phase.totals.begin(), phase.totals.end());
    for (const ComparedRow& row : rows) {
      std::vector<std::string> cells = {Quoted(phase.name)};
      for (const auto* texts : {&row.op, &row.dims, &row.format})
        for (const std::string& cell : *texts) cells.push_back(Quoted(cell));
      for (int side = 0; side < 2; ++side) cells.push_back(number(row.has[side], row.us[side]));
      const MedianInterval& ratio = row.ratio;
      cells.push_back(number(ratio.median > 0, ratio.median));
      for (const double value : {ratio.low, ratio.high, ratio.confidence})
        cells.push_back(number(ratio.confidence > 0, value));
      for (int side = 0; side < 2; ++side)
        cells.push_back(number(row.gb_per_s[side] > 0, row.gb_per_s[side]));
      absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
    }
  }
  return text;
}

absl::StatusOr<ComparedSide> ReadProfile(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const std::string text, ReadFileToString(path, kMaxProfileBytes));
  WEFT_ASSIGN_OR_RETURN(Read json, ParseJson(text, path));
  ComparedSide side{.name = path};
  if (json.is_object() && json.contains("rounds") && json["rounds"].is_array()) {
    for (Read& round : json["rounds"]) side.rounds.push_back(std::move(round));
  } else {
    side.rounds.push_back(std::move(json));
  }
  return side;
}

bool LooksLikeProfile(const std::string& path) {
  if (path.ends_with(".json")) return true;
  if (FileTypeOf(path).value_or(std::filesystem::file_type::none) !=
      std::filesystem::file_type::regular) {
    return false;
  }
  std::ifstream file(path);
  char first = 0;
  return file >> first && first == '{';
}

}  // namespace weft::tools
