// A model as its files give it: the graph, access to the weights, and what a run needs beside them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontends/config_file.h"
#include "frontends/decoder_config.h"
#include "frontends/text_settings.h"
#include "ir/module.h"
#include "ir/weight_reader.h"
#include "runtime/text/tokenizer.h"

namespace weft {

struct LoadOptions {
  // Positions that the graph is built for; 0: the smaller of 4,096 and what the model was made for.
  int64_t context = 0;
  // Reading a large vocabulary takes up to a second; dumps do without.
  bool tokenizer = true;
};

// How the weights stand in the files.
struct WeightTypeCount {
  DataType type = DataType::kF32;
  int64_t tensors = 0;
  int64_t values = 0;
  uint64_t bytes = 0;
};

struct Model {
  std::string path;
  DecoderConfig config;  // family, dims, numerics
  ir::Module module;     // outputs {logits, argmax}; see graph_builder.h
  int64_t context = 0;
  std::vector<std::string> hidden_locations;  // see graph_builder.h
  std::unique_ptr<ir::WeightReader> weights;  // holds the files mapped
  TextSettings text;
  // An error where the model has none, or none that is supported (or LoadOptions asked for none):
  // ids can be run all the same.
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer;

  // Of the tensors that the graph uses: a shared embedding counts once.
  int64_t parameters = 0;
  std::vector<WeightTypeCount> weight_types;  // most bytes first
  std::vector<std::string> unused_tensors;    // in the files, not in the graph
  std::vector<std::string> weight_files;      // paths of the files with weights
  uint64_t file_bytes = 0;                    // of these
  std::vector<ConfigFile> config_files;       // a folder's other files that models have, as read
};

// Opens a model folder (config.json, *.safetensors, tokenizer.json), a .gguf file, or a folder with
// one .gguf file and no config.json. Weights are mapped; only the headers of the files are read.
// Errors name the file and what is wrong with it; an unknown family lists the known ones.
absl::StatusOr<Model> LoadModel(const std::string& path, const LoadOptions& options = {});

// What a model is made of, by path; nothing of the weights is read.
struct ModelFiles {
  std::string name;                  // that of the module
  std::vector<std::string> weights;  // as Model::weight_files
  std::vector<std::string> config;   // those of Model::config_files
};

// Errors as LoadModel has them for what is no model.
absl::StatusOr<ModelFiles> FindModelFiles(const std::string& path);

// Only the tokenizer: also of a GGUF file or folder that has no weights.
absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& path);

}  // namespace weft
