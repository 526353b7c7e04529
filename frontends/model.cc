#include "frontends/model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/config_json.h"
#include "frontends/file_weights.h"
#include "frontends/gguf.h"
#include "frontends/gguf_config.h"
#include "frontends/gguf_vocabulary.h"
#include "frontends/graph_builder.h"
#include "frontends/hf_config.h"
#include "frontends/safetensors.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// The largest known tokenizer.json (Gemma 3) has 33 MB.
constexpr uint64_t kMaxTokenizerBytes = uint64_t{256} << 20;

struct ModelPath {
  bool is_gguf = false;
  std::string path;  // a GGUF file, or a folder
  std::string name;  // last part of the path as given, without ".gguf"
};

// The one .gguf file of a folder; empty for none or several.
std::string OnlyGgufIn(const std::string& folder) {
  std::string found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".gguf") continue;
    if (!found.empty()) return "";
    found = it->path().string();
  }
  return found;
}

absl::StatusOr<ModelPath> Inspect(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return absl::NotFoundError(absl::StrCat(path, ": there is no such file or folder"));
  // Opening gives the reason why status could not.
  const bool is_folder = !error && fs::is_directory(status);
  fs::path last = fs::path(path).lexically_normal();
  if (last.filename().empty()) last = last.parent_path();
  ModelPath result{.path = path, .name = last.filename().string()};
  if (!is_folder) {
    if (absl::EndsWith(path, ".safetensors") || absl::EndsWith(path, ".json")) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": is one file of a model; give the folder that holds it and config.json"));
    }
    result.is_gguf = true;
    if (last.extension() == ".gguf") result.name = last.stem().string();
    return result;
  }
  if (fs::exists(last / "config.json", error)) return result;
  const std::string gguf = OnlyGgufIn(path);
  if (!gguf.empty()) {
    result.is_gguf = true;
    result.path = gguf;
  }
  return result;
}

absl::StatusOr<TokenizerPtr> MakeShared(absl::StatusOr<Tokenizer> tokenizer) {
  if (!tokenizer.ok()) return tokenizer.status();
  return std::make_shared<const Tokenizer>(*std::move(tokenizer));
}

std::string TokenizerPath(const std::string& folder) {
  return absl::StrCat(folder, "/tokenizer.json");
}

// NotFound where there is none, InvalidArgument for what can be none; other errors are the
// system's.
absl::StatusOr<std::string> ReadTokenizerJson(const std::string& folder) {
  const std::string path = TokenizerPath(folder);
  absl::StatusOr<std::string> text = ReadRegularFile(path, kMaxTokenizerBytes);
  if (!absl::IsNotFound(text.status())) return text;
  return absl::NotFoundError(
      absl::StrCat(path, ": is missing; without it the model can run token ids but no text"));
}

// Of what ReadTokenizerJson gave. `settings` fill in what tokenizer.json does not say.
absl::StatusOr<TokenizerPtr> FolderTokenizer(const absl::StatusOr<std::string>& text,
                                             const std::string& folder,
                                             const TextSettings& settings) {
  if (!text.ok()) return text.status();
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromTokenizerJson(*text, TokenizerPath(folder));
  if (!tokenizer.ok()) return tokenizer.status();
  const auto known = [&](std::optional<int32_t> id) {
    return id && tokenizer->HasToken(*id) ? id : std::nullopt;
  };
  std::optional<int32_t> eos;
  if (!settings.eos_token.empty()) eos = tokenizer->TokenToId(settings.eos_token);
  if (!eos && !settings.eos_ids.empty()) eos = settings.eos_ids.front();
  WEFT_RETURN_IF_ERROR(
      tokenizer->SetSpecialIds(tokenizer->bos_id() ? std::nullopt : known(settings.bos_id),
                               tokenizer->eos_id() ? std::nullopt : known(eos)));
  return MakeShared(std::move(tokenizer));
}

absl::StatusOr<TokenizerPtr> GgufTokenizer(const GgufMetadata& metadata, const std::string& name) {
  WEFT_ASSIGN_OR_RETURN(GgufVocabulary vocabulary, ReadGgufVocabulary(metadata));
  return MakeShared(Tokenizer::FromGgufVocabulary(std::move(vocabulary), name));
}

absl::StatusOr<TokenizerPtr> NotAskedFor() {
  return absl::FailedPreconditionError("the tokenizer was not loaded");
}

void Summarise(const TensorFiles& files, Model* model) {
  absl::flat_hash_map<DataType, WeightTypeCount> types;
  for (const TensorEntry& entry : files.tensors()) {
    if (model->module.FindTensor(entry.name) == nullptr) {
      model->unused_tensors.push_back(entry.name);
      continue;
    }
    int64_t values = 1;
    for (int64_t dim : entry.dims) values *= dim;
    WeightTypeCount& count = types[entry.type];
    count.type = entry.type;
    ++count.tensors;
    count.values += values;
    count.bytes += entry.bytes;
    model->parameters += values;
  }
  for (const auto& [type, count] : types) model->weight_types.push_back(count);
  std::ranges::sort(model->weight_types, [](const WeightTypeCount& a, const WeightTypeCount& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
  });
  for (const auto& file : files.files()) {
    model->weight_files.push_back(file->path());
    model->file_bytes += file->bytes().size();
  }
}

// Of a model whose config and text settings are read: its graph and all that comes from `files`.
absl::Status Finish(TensorFiles files, const std::string& name, const LoadOptions& options,
                    Model* model) {
  WEFT_ASSIGN_OR_RETURN(DecoderGraph graph,
                        BuildGraph(model->config, files, name, {.context = options.context}));
  model->module = std::move(graph.module);
  model->context = graph.context;
  model->hidden_locations = std::move(graph.hidden_locations);
  Summarise(files, model);
  model->weights = std::make_unique<FileWeights>(std::move(files));
  return absl::OkStatus();
}

// Those that there are, of what the graph, the tokenizer and the text settings are read from.
std::vector<std::string> ConfigFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.jinja"}) {
    std::string path = absl::StrCat(folder, "/", name);
    std::error_code error;
    if (fs::is_regular_file(path, error)) files.push_back(std::move(path));
  }
  return files;
}

absl::StatusOr<nlohmann::json> ReadConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/config.json");
  std::error_code error;
  if (!fs::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(
        path,
        ": is missing; a model is a folder with config.json and *.safetensors, or a .gguf "
        "file"));
  }
  return ReadJsonObject(path);
}

}  // namespace

absl::StatusOr<Model> LoadModel(const std::string& path, const LoadOptions& options) {
  WEFT_ASSIGN_OR_RETURN(const ModelPath where, Inspect(path));
  Model model{.path = where.path, .tokenizer = NotAskedFor()};
  TensorFiles files;
  if (where.is_gguf) {
    WEFT_ASSIGN_OR_RETURN(GgufFile file, OpenGguf(where.path));
    WEFT_ASSIGN_OR_RETURN(model.config, ParseGgufConfig(file, where.path));
    WEFT_ASSIGN_OR_RETURN(model.text, ReadGgufTextSettings(file.metadata));
    if (options.tokenizer) model.tokenizer = GgufTokenizer(file.metadata, where.path);
    files = std::move(file.tensors);
  } else {
    WEFT_ASSIGN_OR_RETURN(const nlohmann::json config, ReadConfig(where.path));
    WEFT_ASSIGN_OR_RETURN(model.config,
                          ParseHfConfig(config, absl::StrCat(where.path, "/config.json")));
    WEFT_ASSIGN_OR_RETURN(model.text, ReadHfTextSettings(where.path, config));
    WEFT_ASSIGN_OR_RETURN(files, OpenSafetensorsFolder(where.path));
    model.config_files = ConfigFiles(where.path);
    if (options.tokenizer) {
      const absl::StatusOr<std::string> text = ReadTokenizerJson(where.path);
      // A fault of the moment is no model without a tokenizer.
      if (!text.ok() && !absl::IsNotFound(text.status()) &&
          !absl::IsInvalidArgument(text.status())) {
        return text.status();
      }
      model.tokenizer = FolderTokenizer(text, where.path, model.text);
    }
  }
  WEFT_RETURN_IF_ERROR(Finish(std::move(files), where.name, options, &model));
  return model;
}

absl::StatusOr<ModelFiles> FindModelFiles(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(ModelPath where, Inspect(path));
  ModelFiles files{.name = std::move(where.name)};
  if (where.is_gguf) {
    files.weights.push_back(std::move(where.path));
    return files;
  }
  WEFT_ASSIGN_OR_RETURN(files.weights, FindSafetensors(where.path));
  files.config = ConfigFiles(where.path);
  return files;
}

absl::StatusOr<TokenizerPtr> LoadTokenizer(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const ModelPath where, Inspect(path));
  if (where.is_gguf) {
    WEFT_ASSIGN_OR_RETURN(const GgufFile file, OpenGguf(where.path));
    return GgufTokenizer(file.metadata, where.path);
  }
  std::error_code error;
  nlohmann::json config = nlohmann::json::object();
  if (fs::exists(absl::StrCat(where.path, "/config.json"), error)) {
    WEFT_ASSIGN_OR_RETURN(config, ReadConfig(where.path));
  }
  WEFT_ASSIGN_OR_RETURN(const TextSettings settings, ReadHfTextSettings(where.path, config));
  return FolderTokenizer(ReadTokenizerJson(where.path), where.path, settings);
}

}  // namespace weft
