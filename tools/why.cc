#include "tools/why.h"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "codegen/layout.h"
#include "codegen/program_builder.h"
#include "codegen/tile_choice.h"
#include "runtime/base/status_macros.h"
#include "tools/layer_names.h"

namespace weft::tools {
namespace {

using codegen::TileChoice;
using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;
using Json = nlohmann::ordered_json;

bool Matches(const std::string& pattern, const Node& weight) {
  for (const std::string& name : {weight.String(Attr::kTensor), weight.location}) {
    for (const absl::string_view each :
         {absl::string_view(name), absl::StripSuffix(name, ".weight")}) {
      if (fnmatch(pattern.c_str(), std::string(each).c_str(), 0) == 0) return true;
    }
  }
  return false;
}

// A weight is in one pack, in two where kernels want different layouts. Of each pack all weights
// are named for each of them.
constexpr size_t kMostPacks = 4;

// What a remark is about: a tensor and its rows; both empty: all weights.
using RemarkKey = std::pair<std::string, std::vector<int64_t>>;

// Of a target, by symbol.
using Kernels = absl::flat_hash_map<std::string, codegen::Kernel>;

const codegen::Kernel* Find(const Kernels& kernels, const std::string& symbol) {
  const auto found = kernels.find(symbol);
  return found == kernels.end() ? nullptr : &found->second;
}

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

class Teller {
 public:
  explicit Teller(const WhyFacts& facts) : facts_(facts), module_(facts.module) {
    for (const NodeId pack : module_.order()) {
      if (module_.node(pack).op != Op::kPack) continue;
      for (const NodeId weight : module_.node(pack).operands) AppendOnce(pack, &packs_[weight]);
    }
    for (size_t i = 0; i < facts_.program.steps.size(); ++i) {
      for (const OperandRef& operand : facts_.program.steps[i].operands)
        if (operand.space == Space::kWeights) AppendOnce(i, &readers_[operand.offset]);
    }
    if (!facts_.remarks) return;
    for (size_t i = 0; i < facts_.remarks->size(); ++i) {
      const passes::Remark& remark = (*facts_.remarks)[i];
      remarks_[remark.tensor.empty() ? RemarkKey() : RemarkKey(remark.tensor, remark.rows)]
          .push_back(i);
    }
  }

  absl::Status BuildKernels() {
    const Program& program = facts_.program;
    for (const codegen::Target& target : facts_.targets) {
      WEFT_ASSIGN_OR_RETURN(
          codegen::BuiltProgram built,
          codegen::BuildProgram(module_, target,
                                {program.max_tokens, program.max_logit_rows, program.context}));
      Kernels& kernels = kernels_.emplace_back();
      for (codegen::Kernel& kernel : built.kernels)
        kernels.try_emplace(kernel.name, std::move(kernel));
    }
    return absl::OkStatus();
  }

  Json Targets() const {
    Json targets = Json::array();
    const codegen::Target& chosen = facts_.targets[facts_.chosen];
    for (const std::string& name : codegen::KnownTargets()) {
      const auto target = codegen::ParseTarget(name, facts_.cpu);
      const absl::Status runs = codegen::CheckExecutable(*target, facts_.cpu);
      const bool compiled = std::ranges::count(facts_.targets, name, &codegen::Target::name) > 0;
      std::string why;
      if (!runs.ok()) {
        const std::string message(runs.message());
        why = message.substr(message.find("needs"));
        why = why.substr(0, why.find(';'));
      } else if (name == chosen.name) {
        why = BestHere() == name ? "the best that this CPU executes" : "asked for with --target";
      } else if (!compiled) {
        why = "this CPU executes it, but there is no code for it: --target";
      } else {
        why = absl::StrCat("this CPU executes it, but ", chosen.name, " is taken");
      }
      targets.push_back({{"target", name},
                         {"chosen", name == chosen.name},
                         {"compiled", compiled},
                         {"runs_here", runs.ok()},
                         {"why", why}});
    }
    return targets;
  }

  Json Weight(NodeId id) const {
    const Node& weight = module_.node(id);
    Json json = {
        {"weight", weight.location.empty() ? weight.String(Attr::kTensor) : weight.location},
        {"source", Source(weight)}};
    json["format"] = {{"format", weight.Has(Attr::kFormat) ? weight.String(Attr::kFormat) : ""},
                      {"why", weight.Has(Attr::kWhy) ? weight.String(Attr::kWhy) : ""}};
    if (facts_.remarks) json["passes"] = Remarks(weight);
    Json packs = Json::array();
    Json steps = Json::array();
    if (const auto found = packs_.find(id); found != packs_.end()) {
      const auto listed = std::min(found->second.size(), kMostPacks);
      if (found->second.size() > listed) json["packs_not_listed"] = found->second.size() - listed;
      for (const NodeId pack : absl::MakeConstSpan(found->second).first(listed)) {
        const Node& node = module_.node(pack);
        packs.push_back(Packed(node, id));
        const auto readers = readers_.find(static_cast<uint64_t>(node.Int(Attr::kAddress)));
        if (readers == readers_.end()) continue;
        for (const size_t step : readers->second) steps.push_back(StepJson(step));
      }
    }
    json["packed"] = std::move(packs);
    json["steps"] = std::move(steps);
    return json;
  }

  Json Roof() const {
    const Roofs& roofs = facts_.times->roofs;
    return {{"gb_per_s", roofs.gb_per_s},
            {"gmac_per_s_q8_0", roofs.gmac_per_s_q8_0},
            {"gmac_per_s_f32", roofs.gmac_per_s_f32}};
  }

 private:
  std::string BestHere() const {
    const auto best = codegen::ParseTarget("host", facts_.cpu);
    return best.ok() ? best->name : "";
  }

  Json Source(const Node& weight) const {
    Json json = {{"tensor", weight.String(Attr::kTensor)}};
    if (const ir::SourceTensor* tensor = module_.FindTensor(weight.String(Attr::kTensor))) {
      const auto file = static_cast<size_t>(tensor->file);
      json["file"] = file < facts_.files.size() ? facts_.files[file] : "";
      json["type"] = std::string(weft::Name(tensor->dtype));
      json["dims"] = tensor->dims;
      json["offset"] = tensor->offset;
      json["bytes"] = tensor->bytes;
    }
    if (weight.Has(Attr::kRows)) {
      const auto rows = weight.Ints(Attr::kRows);
      json["rows"] = std::vector<int64_t>(rows.begin(), rows.end());
    }
    json["transposed"] = weight.Bool(Attr::kTransposed);
    std::vector<int64_t> dims;
    for (const ir::Dim& dim : weight.type.dims) dims.push_back(dim.value());
    json["weight_dims"] = dims;
    return json;
  }

  // What passes said of these rows, of the tensor while it was whole, or of all weights.
  Json Remarks(const Node& weight) const {
    const auto span = weight.Ints(Attr::kRows);
    const std::string& tensor = weight.String(Attr::kTensor);
    const std::set<RemarkKey> keys = {{"", {}}, {tensor, {}}, {tensor, {span.begin(), span.end()}}};
    std::vector<size_t> places;
    for (const RemarkKey& key : keys) {
      const auto found = remarks_.find(key);
      if (found != remarks_.end())
        places.insert(places.end(), found->second.begin(), found->second.end());
    }
    std::ranges::sort(places);
    Json json = Json::array();
    for (const size_t place : places) {
      const passes::Remark& remark = (*facts_.remarks)[place];
      json.push_back({{"pass", remark.pass}, {"done", remark.done}, {"text", remark.text}});
    }
    return json;
  }

  Json Packed(const Node& pack, NodeId weight) const {
    int64_t first = 0;
    Json with = Json::array();
    for (const NodeId other : pack.operands) {
      if (other == weight) continue;
      with.push_back(module_.node(other).location);
    }
    for (const NodeId other : pack.operands) {
      if (other == weight) break;
      first += module_.node(other).type.dims[0].value();
    }
    const int64_t rows = module_.node(weight).type.dims[0].value();
    Json json = {{"pack", pack.location},
                 {"type", ir::ToString(pack.type)},
                 {"with", with},
                 {"rows", {first, first + rows}},
                 {"offset", pack.Int(Attr::kAddress)},
                 {"bytes", pack.Int(Attr::kBytes)}};
    if (pack.type.layout == ir::Layout::kRows) return json;
    const int64_t all = pack.type.dims[0].value();
    const int64_t k = pack.type.dims[1].value();
    const bool quantized = pack.type.dtype == DataType::kQ8_0;
    json["panels"] = codegen::Panels(all);
    json["panel_rows"] = codegen::kPanelRows;
    json["panel_bytes"] = codegen::PanelBytes(pack.type.dtype, k);
    json["padding_rows"] = codegen::Panels(all) * codegen::kPanelRows - all;
    json["padding_columns"] = quantized ? codegen::Blocks(k) * codegen::kBlock - k : 0;
    return json;
  }

  Json StepJson(size_t index) const {
    const Step& step = facts_.program.steps[index];
    Json json = {{"step", step.name},          {"kind", step.kind},
                 {"detail", step.detail},      {"kernel", step.kernel},
                 {"code", CodeJson(step)},     {"partition_units", step.units},
                 {"units_at_once", step.grain}};
    if (step.macs_per_row == 0) return json;
    json["threads"] = facts_.threads;
    json["units_per_thread"] = static_cast<double>(step.units) / facts_.threads;
    json["streamed_bytes"] = step.weight_bytes;
    json["macs_per_token"] = step.macs_per_row;
    if (facts_.times) {
      json["one_token"] = OneToken(index);
      json["prompt"] = Prompt(index);
    }
    return json;
  }

  Json CodeJson(const Step& step) const {
    Json json = Json::array();
    for (size_t i = 0; i < facts_.targets.size(); ++i) {
      Json code = {{"target", facts_.targets[i].name}};
      if (const codegen::Kernel* kernel = Find(kernels_[i], step.kernel)) {
        code["emitter"] = std::string(kernel->choice.emitter->name);
        code["refused"] = kernel->choice.refusals;
        if (kernel->spec.op() == Op::kMatmul) code["loops"] = Loops(*kernel, facts_.targets[i]);
      }
      json.push_back(std::move(code));
    }
    return json;
  }

  // The inner loops by number of tokens, for each of the step's weights.
  static Json Loops(const codegen::Kernel& kernel, const codegen::Target& target) {
    Json json = Json::array();
    for (const int operand : kernel.spec.Roles().weights) {
      const ir::Type& type = kernel.spec.operands[operand].type;
      const bool quantized = type.dtype == DataType::kQ8_0;
      int64_t fewer = 0;
      for (const TileChoice& tile : codegen::TileChoices(target, quantized)) {
        Json loop = {{"weights", ir::ToString(type)},        {"from_tokens", fewer + 1},
                     {"loop", std::string(Name(tile.kind))}, {"panels_at_once", tile.panels},
                     {"tokens_at_once", tile.tokens},        {"streams", tile.streams},
                     {"why", std::string(tile.why)}};
        if (tile.most_tokens != codegen::kAnyTokens) loop["to_tokens"] = tile.most_tokens;
        if (!tile.streams) {
          const codegen::BlockCut cut =
              codegen::CutForCaches(tile, type.dims[0].value(), type.dims[1].value(), quantized,
                                    ir::UnitPanels(kernel.spec.node));
          loop["panels_in_cache"] = cut.group_panels;
          loop["columns_at_once"] = cut.most_k;
        }
        fewer = tile.most_tokens;
        json.push_back(std::move(loop));
      }
    }
    return json;
  }

  Json OneToken(size_t index) const {
    const Step& step = facts_.program.steps[index];
    const StepProfile& profile = facts_.times->decode.steps[index];
    const double roof = facts_.times->roofs.gb_per_s;
    return {{"bytes", step.weight_bytes},
            {"expected_us", Ratio(static_cast<double>(step.weight_bytes), roof) / 1e3},
            {"calls", profile.time.count()},
            {"mean_us", profile.time.MeanNs() / 1e3},
            {"gb_per_s", profile.GigabytesPerSecond()},
            {"roof_share", Ratio(profile.GigabytesPerSecond(), roof)}};
  }

  Json Prompt(size_t index) const {
    const StepProfile& profile = facts_.times->prefill.steps[index];
    // What a run of the prompt multiplies; lm_head sees its last row alone.
    const double macs =
        Ratio(static_cast<double>(profile.macs), static_cast<double>(profile.time.count()));
    const double expected_ns = macs * PeakNsPerMac(facts_.program.steps[index]);
    const double mean_ns = profile.time.MeanNs();
    return {{"tokens", facts_.times->prefill_tokens},
            {"macs", macs},
            {"expected_us", expected_ns / 1e3},
            {"calls", profile.time.count()},
            {"mean_us", mean_ns / 1e3},
            {"gmac_per_s", profile.GigamacsPerSecond()},
            {"peak_share", Ratio(expected_ns, mean_ns)}};
  }

  // At the arithmetic peak, of a step whose weights may differ in format; 0 where the peak of one
  // is not known.
  double PeakNsPerMac(const Step& step) const {
    const codegen::Kernel* kernel = Find(kernels_[facts_.chosen], step.kernel);
    if (kernel == nullptr || kernel->spec.op() != Op::kMatmul) return 0;
    double ns = 0;
    for (const int operand : kernel->spec.Roles().weights) {
      const ir::Type& type = kernel->spec.operands[operand].type;
      const Roofs& roofs = facts_.times->roofs;
      const double peak =
          type.dtype == DataType::kQ8_0 ? roofs.gmac_per_s_q8_0 : roofs.gmac_per_s_f32;
      if (peak == 0) return 0;
      ns += static_cast<double>(type.dims[0].value() * type.dims[1].value()) / peak;
    }
    return ns / static_cast<double>(step.macs_per_row);
  }

  // What comes in order may come several times.
  template <typename T>
  static void AppendOnce(T value, std::vector<T>* values) {
    if (values->empty() || values->back() != value) values->push_back(value);
  }

  const WhyFacts& facts_;
  const Module& module_;
  std::map<RemarkKey, std::vector<size_t>> remarks_;        // places among those of the facts
  absl::flat_hash_map<NodeId, std::vector<NodeId>> packs_;  // by weight
  // Steps, by the offset of weights that they read.
  absl::flat_hash_map<uint64_t, std::vector<size_t>> readers_;
  std::vector<Kernels> kernels_;  // by target
};

absl::Status NoWeight(const Module& module, const std::string& pattern) {
  std::vector<std::string> kinds;
  absl::flat_hash_set<std::string> seen;
  for (const NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op != Op::kWeight) continue;
    std::string kind = WithoutLayer(node.String(Attr::kTensor));
    if (seen.insert(kind).second) kinds.push_back(std::move(kind));
  }
  return absl::NotFoundError(absl::StrCat(
      "no weight is called '", pattern,
      "'; there are, with a number or '*' for the layer: ", absl::StrJoin(kinds, ", ")));
}

}  // namespace

absl::StatusOr<Json> WhyJson(const WhyFacts& facts, const std::string& pattern) {
  Teller teller(facts);
  WEFT_RETURN_IF_ERROR(teller.BuildKernels());
  Json weights = Json::array();
  for (const NodeId id : facts.module.order()) {
    const Node& node = facts.module.node(id);
    if (node.op == Op::kWeight && Matches(pattern, node)) weights.push_back(teller.Weight(id));
  }
  if (weights.empty()) return NoWeight(facts.module, pattern);
  Json json = {{"model", facts.module.name},
               {"targets", teller.Targets()},
               {"threads", facts.threads},
               {"remarks", facts.remarks.has_value()}};
  if (facts.times) json["roof"] = teller.Roof();
  json["weights"] = std::move(weights);
  return json;
}

}  // namespace weft::tools
