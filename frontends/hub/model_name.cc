#include "frontends/hub/model_name.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/http_client.h"
#include "runtime/base/json_reader.h"

namespace weft {
namespace {

constexpr size_t kMaxIdPart = 96;  // the hub's own limit
constexpr size_t kMaxNamePart =
    200;  // file systems take 255; ".incomplete" and temporary suffixes come on top
constexpr size_t kMaxNameDepth = 8;
constexpr size_t kMaxShards = 10000;
constexpr size_t kMaxListed = 10;  // names shown in a message

// Wanted of a folder if the repository has them, besides config.json and the weights.
constexpr std::array<absl::string_view, 5> kOptionalFiles = {
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    "special_tokens_map.json"};

// Best first: Q8_0 runs as it is stored, then by what is lost.
constexpr std::array<absl::string_view, 10> kQuantPreference = {
    "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q5_0", "q4_1", "q4_0", "bf16", "f16", "f32"};

bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

bool IsIdPart(absl::string_view part) {
  auto edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && part.size() <= kMaxIdPart && !edge(part.front()) && !edge(part.back()) &&
         !absl::StrContains(part, "--") && !absl::StrContains(part, "..") &&
         std::all_of(part.begin(), part.end(),
                     [](char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; });
}

absl::string_view BaseName(absl::string_view name) {
  size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? name : name.substr(slash + 1);
}

// "model-00001-of-00003.gguf"
bool IsSplitPart(absl::string_view stem) {
  constexpr absl::string_view kPattern = "-ddddd-of-ddddd";
  if (stem.size() < kPattern.size()) return false;
  absl::string_view tail = stem.substr(stem.size() - kPattern.size());
  for (size_t i = 0; i < kPattern.size(); ++i) {
    bool digit = absl::ascii_isdigit(static_cast<unsigned char>(tail[i]));
    if (kPattern[i] == 'd' ? !digit : tail[i] != kPattern[i]) return false;
  }
  return true;
}

struct GgufName {
  absl::string_view name;
  std::string stem;  // base name without .gguf, lower case
};

bool IsOfQuant(const GgufName& file, absl::string_view lower_case_quant) {
  if (!absl::EndsWith(file.stem, lower_case_quant)) return false;
  size_t start = file.stem.size() - lower_case_quant.size();
  return start == 0 || !IsAlnum(file.stem[start - 1]);
}

std::string Listed(const std::vector<GgufName>& files) {
  std::vector<std::string> names;
  for (const GgufName& file : files) {
    if (names.size() == kMaxListed) {
      names.push_back("...");
      break;
    }
    names.push_back(Printable(file.name));
  }
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<FileSelection> SelectionOf(absl::string_view gguf) {
  if (!IsSafeFileName(gguf)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "refused: the repository's file '", Printable(gguf), "' is not a plain relative path"));
  }
  return FileSelection{ModelKind::kGgufFile, {std::string(gguf)}, false};
}

absl::StatusOr<FileSelection> SelectGguf(const std::vector<std::string>& names,
                                         absl::string_view selector) {
  std::vector<GgufName> whole;
  bool has_split = false;
  for (const std::string& name : names) {
    std::string base = absl::AsciiStrToLower(BaseName(name));
    if (!absl::EndsWith(base, ".gguf")) continue;
    std::string stem = base.substr(0, base.size() - 5);
    if (IsSplitPart(stem)) {
      has_split = true;
      continue;
    }
    if (name == selector) return SelectionOf(name);
    // Beside the model, and chosen only by name: the image projector and the data that quantising
    // used.
    if (absl::StartsWith(stem, "mmproj") || absl::StrContains(stem, "imatrix")) continue;
    whole.push_back({name, std::move(stem)});
  }
  // Plainer names first: "m-Q4_0.gguf" before "m-UD-Q4_0.gguf" and before "other/m-Q4_0.gguf".
  std::sort(whole.begin(), whole.end(), [](const GgufName& a, const GgufName& b) {
    auto key = [](const GgufName& f) {
      return std::make_tuple(std::count(f.name.begin(), f.name.end(), '/'), f.name.size(), f.name);
    };
    return key(a) < key(b);
  });
  auto first_of = [&](absl::string_view quant) {
    return std::find_if(whole.begin(), whole.end(),
                        [&](const GgufName& file) { return IsOfQuant(file, quant); });
  };
  if (!selector.empty()) {
    auto found = first_of(absl::AsciiStrToLower(selector));
    if (found != whole.end()) return SelectionOf(found->name);
    return absl::NotFoundError(absl::StrCat(
        "no .gguf file for ':", selector, "'",
        whole.empty() ? std::string() : absl::StrCat("; there are ", Listed(whole)),
        has_split ? "; files split into -00001-of-0000N parts are not supported" : ""));
  }
  for (absl::string_view quant : kQuantPreference) {
    if (auto found = first_of(quant); found != whole.end()) return SelectionOf(found->name);
  }
  if (!whole.empty()) return SelectionOf(whole.front().name);
  return absl::NotFoundError(
      has_split ? "its .gguf files are split into parts, which is not supported"
                : "it has neither config.json with model.safetensors (single or sharded) nor a "
                  ".gguf file");
}

}  // namespace

absl::StatusOr<HubName> ParseHubName(absl::string_view name) {
  size_t colon = name.find(':');
  HubName result;
  result.id = std::string(name.substr(0, colon));
  if (colon != absl::string_view::npos) result.selector = std::string(name.substr(colon + 1));
  std::vector<absl::string_view> parts = absl::StrSplit(result.id, '/');
  if (parts.size() != 2 || !IsIdPart(parts[0]) || !IsIdPart(parts[1])) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Printable(name), "' is not a hub id of the form org/name"));
  }
  if (colon != absl::string_view::npos && !IsSafeFileName(result.selector)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", Printable(name),
        "': after ':' comes a .gguf file of the repository or a quantisation such as Q4_K_M"));
  }
  return result;
}

bool IsSafeFileName(absl::string_view name) {
  std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  if (parts.size() > kMaxNameDepth) return false;
  return std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
    return !part.empty() && part.size() <= kMaxNamePart && part.front() != '.' &&
           std::all_of(part.begin(), part.end(), [](char c) {
             return IsAlnum(c) || absl::StrContains("._-+=@,() ", absl::string_view(&c, 1));
           });
  });
}

absl::StatusOr<FileSelection> SelectFiles(const std::vector<std::string>& names,
                                          absl::string_view selector) {
  const std::set<absl::string_view> have(names.begin(), names.end());
  const bool single = have.contains("model.safetensors");
  const bool sharded = !single && have.contains(kShardIndex);
  if (!selector.empty() || !have.contains("config.json") || !(single || sharded)) {
    return SelectGguf(names, selector);
  }
  FileSelection selection{ModelKind::kFolder, {"config.json"}, sharded};
  for (absl::string_view name : kOptionalFiles) {
    if (have.contains(name)) selection.files.emplace_back(name);
  }
  selection.files.emplace_back(single ? "model.safetensors" : kShardIndex);
  return selection;
}

absl::StatusOr<std::vector<std::string>> ShardsOfIndex(absl::string_view json,
                                                       const std::string& where) {
  const auto index = ParseJsonObject(json, where);
  if (!index.ok()) return index.status();
  const auto map = index->find("weight_map");
  if (map == index->end() || !map->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": no object 'weight_map'"));
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    const auto* name = file.get_ptr<const std::string*>();
    if (name == nullptr || !IsSafeFileName(*name) || !absl::EndsWith(*name, ".safetensors")) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": weight_map of '", Printable(tensor), "' names ",
                       name == nullptr ? "no file" : absl::StrCat("'", Printable(*name), "'"),
                       ": expected a plain .safetensors file name"));
    }
    shards.insert(*name);
    if (shards.size() > kMaxShards) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": more than ", kMaxShards, " shards"));
    }
  }
  if (shards.empty()) return absl::InvalidArgumentError(absl::StrCat(where, ": no shards"));
  return std::vector<std::string>(shards.begin(), shards.end());
}

}  // namespace weft
