// A .weft plan: all that is read of it before its machine code runs, which is trusted as a program
// is. Checksums stop chance, not the fuzzer: its mutator mends them, so that what is behind them is
// tried as well.
#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "ir/text.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/plan_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using weft::PlanEntry;

// The file of these sections, with the checksums it takes.
std::vector<uint8_t> Assemble(std::vector<PlanEntry> entries,
                              const std::vector<std::vector<uint8_t>>& contents) {
  constexpr uint64_t kAlignment = 4096;
  uint64_t end = weft::EncodePlanHeader(entries, 0).size();
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].offset = (end + kAlignment - 1) / kAlignment * kAlignment;
    entries[i].size = contents[i].size();
    entries[i].checksum = weft::Checksum::Of(absl::MakeConstSpan(contents[i]));
    end = entries[i].offset + entries[i].size;
  }
  std::vector<uint8_t> file = weft::EncodePlanHeader(entries, end);
  file.resize(end);
  for (size_t i = 0; i < entries.size(); ++i)
    std::copy(contents[i].begin(), contents[i].end(),
              file.begin() + static_cast<std::ptrdiff_t>(entries[i].offset));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string path = weft::fuzz::WriteScratch("plan.weft", weft::fuzz::Text(data, size));
  const auto plan = weft::Plan::Open(path);
  if (!plan.ok()) return 0;
  (void)(*plan)->VerifyWeights();
  for (size_t i = 0; i < (*plan)->metadata().stages.size(); ++i)
    (void)weft::ir::Parse((*plan)->ir(i));
  const absl::string_view image = (*plan)->tokenizer();
  const auto tokenizer =
      weft::Tokenizer::FromImage(std::string_view(image.data(), image.size()), *plan, "x");
  if (tokenizer.ok()) weft::fuzz::UseTokenizer(*tokenizer);
  weft::fuzz::UseChatTemplate((*plan)->chat_template());
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  std::minstd_rand random(seed);
  const auto entries = weft::DecodePlanHeader(absl::MakeConstSpan(data, size), "x");
  // Now and then the bytes as they stand, checksums wrong.
  if (!entries.ok() || entries->empty() || random() % 8 == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  std::vector<std::vector<uint8_t>> contents;
  for (const PlanEntry& entry : *entries)
    contents.emplace_back(data + entry.offset, data + entry.offset + entry.size);
  std::vector<uint8_t>& chosen = contents[random() % contents.size()];
  const size_t before = chosen.size();
  chosen.resize(before + std::min<size_t>(1024, max_size - std::min(max_size, size)));
  if (chosen.empty()) return LLVMFuzzerMutate(data, size, max_size);
  chosen.resize(LLVMFuzzerMutate(chosen.data(), before, chosen.size()));
  const std::vector<uint8_t> file = Assemble(*entries, contents);
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, file.data(), file.size());
  return file.size();
}
