// The JSON files of a Hugging Face model folder. The first byte chooses which: config.json,
// generation_config.json, tokenizer_config.json or model.safetensors.index.json, and beside which
// family's weights. Beside the index these are called model-1.safetensors: it is not looked at
// where there is a model.safetensors.
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/command_use.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"

namespace {

constexpr const char* kFamilies[] = {"gemma2",      "gemma3", "gpt2",  "llama-gqa", "llama3-rope",
                                     "mistral-swa", "phi3",   "qwen2", "qwen3"};
constexpr const char kIndex[] = "model.safetensors.index.json";
constexpr const char* kFiles[] = {"config.json", "generation_config.json", "tokenizer_config.json",
                                  kIndex};

// A folder whose file is the fuzzer's, and whose others are links to the family's own.
std::string FolderOf(const std::string& family, const std::string& file) {
  const std::string folder = absl::StrCat(weft::fuzz::ScratchFolder(), "/", family, "-", file);
  if (!std::filesystem::create_directory(folder)) return folder;
  const std::filesystem::path source =
      std::filesystem::absolute(weft::fuzz::OraclePath("tiny/" + family));
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    std::string name = entry.path().filename().string();
    if (name == file || name == "golden.safetensors") continue;
    if (file == kIndex && name == "model.safetensors") name = "model-1.safetensors";
    std::filesystem::create_symlink(entry.path(), absl::StrCat(folder, "/", name));
  }
  return folder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string family = kFamilies[data[0] % std::size(kFamilies)];
  const std::string file = kFiles[data[0] / std::size(kFamilies) % std::size(kFiles)];
  const std::string folder = FolderOf(family, file);
  weft::fuzz::WriteScratch(family + "-" + file + "/" + file, weft::fuzz::Text(data + 1, size - 1));
  // Of the tokenizer this decides what its special tokens are.
  const auto model = weft::LoadModel(folder, {.tokenizer = file == "tokenizer_config.json"});
  if (!model.ok()) return 0;
  weft::fuzz::UseModel(*model);
  weft::fuzz::LookAtModel(folder, weft::fuzz::Chooser(weft::fuzz::Text(data, size)));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  const auto mutate = [](absl::string_view input, size_t room, weft::fuzz::Random& random) {
    if (input.empty()) return std::string();
    std::string json = weft::fuzz::MutateJson(input.substr(1), room, random);
    return json.empty() ? json : absl::StrCat(input.substr(0, 1), json);
  };
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, mutate);
}
