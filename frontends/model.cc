#include "frontends/model.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
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
#include "runtime/base/posix_error.h"
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

constexpr char kConfigName[] = "config.json";
constexpr char kTokenizerName[] = "tokenizer.json";
// Of a folder: what the graph, the tokenizer and the text settings are read from, in the order in
// which plans and keys name it.
constexpr std::array<absl::string_view, 5> kConfigFiles = {kConfigName, "generation_config.json",
                                                           kTokenizerName, "tokenizer_config.json",
                                                           "chat_template.jinja"};

std::string PathIn(const std::string& folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

// The one .gguf file of a folder; empty for none or several.
absl::StatusOr<std::string> OnlyGgufIn(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".gguf") found.push_back(it->path().string());
  }
  if (error) return PosixError(error.value(), folder, "list the folder");
  return found.size() == 1 ? found[0] : "";
}

absl::StatusOr<ModelPath> Inspect(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(path));
  if (type == fs::file_type::not_found)
    return absl::NotFoundError(absl::StrCat(path, ": there is no such file or folder"));
  fs::path last = fs::path(path).lexically_normal();
  if (last.filename().empty()) last = last.parent_path();
  ModelPath result{.path = path, .name = last.filename().string()};
  if (type != fs::file_type::directory) {
    if (absl::EndsWith(path, ".safetensors") || absl::EndsWith(path, ".json")) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": is one file of a model; give the folder that holds it and config.json"));
    }
    result.is_gguf = true;
    if (last.extension() == ".gguf") result.name = last.stem().string();
    return result;
  }
  WEFT_ASSIGN_OR_RETURN(const fs::file_type config, FileTypeOf(PathIn(path, kConfigName)));
  if (config != fs::file_type::not_found) return result;
  WEFT_ASSIGN_OR_RETURN(const std::string gguf, OnlyGgufIn(path));
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

// NotFound where there is none, InvalidArgument for what can be none; other errors are the
// system's.
absl::StatusOr<std::string> ReadTokenizerJson(const std::string& folder,
                                              std::vector<ConfigFile>* read) {
  const std::string path = PathIn(folder, kTokenizerName);
  WEFT_ASSIGN_OR_RETURN(std::optional<std::string> text,
                        ReadConfigFile(path, kMaxTokenizerBytes, read));
  if (text) return *std::move(text);
  return absl::NotFoundError(
      absl::StrCat(path, ": is missing; without it the model can run token ids but no text"));
}

// Of what ReadTokenizerJson gave. `settings` fill in what tokenizer.json does not say.
absl::StatusOr<TokenizerPtr> FolderTokenizer(const absl::StatusOr<std::string>& text,
                                             const std::string& folder,
                                             const TextSettings& settings) {
  if (!text.ok()) return text.status();
  absl::StatusOr<Tokenizer> tokenizer =
      Tokenizer::FromTokenizerJson(*text, PathIn(folder, kTokenizerName));
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

// Those of kConfigFiles that there are.
absl::StatusOr<std::vector<std::string>> FindConfigFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const absl::string_view name : kConfigFiles) {
    std::string path = PathIn(folder, name);
    WEFT_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(path));
    if (type == fs::file_type::regular) files.push_back(std::move(path));
  }
  return files;
}

// As kConfigFiles has them. A tokenizer.json that was not read is a file of the model all the same.
absl::Status Order(const std::string& folder, std::vector<ConfigFile>* files) {
  std::vector<ConfigFile> ordered;
  for (const absl::string_view name : kConfigFiles) {
    const std::string path = PathIn(folder, name);
    const auto read = std::ranges::find(*files, path, &ConfigFile::path);
    if (read != files->end()) {
      ordered.push_back(std::move(*read));
    } else if (name == kTokenizerName) {
      WEFT_ASSIGN_OR_RETURN(const fs::file_type type, FileTypeOf(path));
      if (type == fs::file_type::regular) ordered.push_back({.path = path});
    }
  }
  *files = std::move(ordered);
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::json> ReadConfig(const std::string& folder,
                                          std::vector<ConfigFile>* read) {
  const std::string path = PathIn(folder, kConfigName);
  WEFT_ASSIGN_OR_RETURN(std::optional<nlohmann::json> config, ReadJsonObjectIfAny(path, read));
  if (config) return *std::move(config);
  return absl::NotFoundError(absl::StrCat(
      path,
      ": is missing; a model is a folder with config.json and *.safetensors, or a .gguf file"));
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
    std::vector<ConfigFile>* const read = &model.config_files;
    WEFT_ASSIGN_OR_RETURN(const nlohmann::json config, ReadConfig(where.path, read));
    WEFT_ASSIGN_OR_RETURN(model.config, ParseHfConfig(config, PathIn(where.path, kConfigName)));
    WEFT_ASSIGN_OR_RETURN(model.text, ReadHfTextSettings(where.path, config, read));
    WEFT_ASSIGN_OR_RETURN(files, OpenSafetensorsFolder(where.path));
    if (options.tokenizer) {
      const absl::StatusOr<std::string> text = ReadTokenizerJson(where.path, read);
      // A fault of the moment is no model without a tokenizer.
      if (!text.ok() && !absl::IsNotFound(text.status()) &&
          !absl::IsInvalidArgument(text.status())) {
        return text.status();
      }
      model.tokenizer = FolderTokenizer(text, where.path, model.text);
    }
    WEFT_RETURN_IF_ERROR(Order(where.path, read));
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
  WEFT_ASSIGN_OR_RETURN(files.config, FindConfigFiles(where.path));
  return files;
}

absl::StatusOr<TokenizerPtr> LoadTokenizer(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const ModelPath where, Inspect(path));
  if (where.is_gguf) {
    WEFT_ASSIGN_OR_RETURN(const GgufFile file, OpenGguf(where.path));
    return GgufTokenizer(file.metadata, where.path);
  }
  std::vector<ConfigFile> read;
  WEFT_ASSIGN_OR_RETURN(const std::optional<nlohmann::json> config,
                        ReadJsonObjectIfAny(PathIn(where.path, kConfigName), &read));
  WEFT_ASSIGN_OR_RETURN(
      const TextSettings settings,
      ReadHfTextSettings(where.path, config.value_or(nlohmann::json::object()), &read));
  return FolderTokenizer(ReadTokenizerJson(where.path, &read), where.path, settings);
}

}  // namespace weft
