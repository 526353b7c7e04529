// The header of a .safetensors file.
#include "frontends/safetensors.h"
#include "runtime/abi/check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors = weft::ParseSafetensorsHeader(absl::MakeConstSpan(data, size), "x", 0);
  if (!tensors.ok()) return 0;
  uint64_t end = 0;  // what it promises: ranges in order, inside the file and apart
  for (const weft::TensorEntry& tensor : *tensors) {
    WEFT_CHECK(tensor.offset >= end && tensor.bytes <= size &&
               tensor.offset <= size - tensor.bytes);
    WEFT_CHECK(*weft::TensorBytes(tensor.type, tensor.dims) == tensor.bytes);
    end = tensor.offset + tensor.bytes;
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, weft::fuzz::MutateSafetensors);
}
