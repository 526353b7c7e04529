// The text form of the IR: what is accepted prints, and what is printed is accepted and prints the
// same. Then what commands show of it, and the passes, as in weft-opt.
#include "ir/text.h"
#include "passes/plan_memory.h"
#include "runtime/abi/check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"
#include "tools/dot_graph.h"
#include "tools/dump_text.h"
#include "tools/module_diff.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = weft::fuzz::Text(data, size);
  (void)weft::ir::ParseWithoutVerifying(text);
  const auto module = weft::ir::Parse(text);
  if (!module.ok()) return 0;
  const std::string printed = weft::ir::Print(*module);
  const auto again = weft::ir::Parse(printed);
  WEFT_CHECK(again.ok());
  WEFT_CHECK(weft::ir::Print(*again) == printed);
  for (const char* const format : {"json", "dot"})
    (void)weft::tools::FormatModule(*module, format, weft::tools::kAllLayers);
  weft::fuzz::BuildWherePlanned(*module, {});
  (void)weft::passes::Summary(*module);
  weft::ir::Module changed = *module;
  const auto passed = weft::fuzz::UsePasses(&changed, printed, /*context=*/0);
  if (passed.ok()) weft::fuzz::BuildWherePlanned(changed, *passed);
  (void)weft::tools::DiffModules("before", *module, "after", changed);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, weft::fuzz::MutateIr);
}
