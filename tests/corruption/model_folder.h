// A model folder with one file of its own, the others those of a tiny model (tests/oracle/tiny).
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "frontends/model.h"
#include "frontends/model_test_util.h"

namespace weft::corruption {

class ModelFolder {
 public:
  explicit ModelFolder(const std::string& tiny, const std::string& weights = "model.safetensors") {
    namespace fs = std::filesystem;
    const std::string from = TinyFolder(tiny);
    fs::create_symlink(fs::absolute(from + "/model.safetensors"), folder_.File(weights));
    fs::copy_file(from + "/config.json", folder_.File("config.json"));
  }
  // Loads the model with the text as the file.
  std::function<absl::Status(const std::string&)> Loader(const std::string& file) const {
    return [this, file](const std::string& text) {
      folder_.Write(file, text);
      return LoadModel(folder_.path(), {.tokenizer = false}).status();
    };
  }
  std::string File(const std::string& name) const { return folder_.File(name); }

 private:
  TempFolder folder_;
};

}  // namespace weft::corruption
