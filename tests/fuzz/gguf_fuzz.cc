// A .gguf file: header, config, tokenizer, chat template, weights of every block format; and
// what the commands make of it.
#include "tests/fuzz/command_use.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = weft::fuzz::WriteScratch("model.gguf", weft::fuzz::Text(data, size));
  if (const auto model = weft::LoadModel(path); model.ok()) {
    weft::fuzz::UseModel(*model);
    weft::fuzz::LookAtModel(path, weft::fuzz::Chooser(weft::fuzz::Text(data, size)));
  }
  if (const auto tokenizer = weft::LoadTokenizer(path); tokenizer.ok())
    weft::fuzz::UseTokenizer(**tokenizer, weft::fuzz::Text(data, size));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, weft::fuzz::MutateGguf);
}
