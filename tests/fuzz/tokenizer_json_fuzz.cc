// A tokenizer.json, and the image of it that plans carry.
#include "runtime/abi/check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tokenizer = weft::Tokenizer::FromTokenizerJson(
      std::string_view(reinterpret_cast<const char*>(data), size), "x");
  if (!tokenizer.ok()) return 0;
  weft::fuzz::UseTokenizer(*tokenizer, weft::fuzz::Text(data, size));
  const auto image = std::make_shared<std::string>(tokenizer->ToImage());
  const auto again = weft::Tokenizer::FromImage(*image, image, "x");
  WEFT_CHECK(again.ok());
  const auto ids = tokenizer->Encode("Hello, World! 12");
  const auto same = again->Encode("Hello, World! 12");
  WEFT_CHECK(ids.ok() == same.ok() && (!ids.ok() || *ids == *same));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, weft::fuzz::MutateJson);
}
