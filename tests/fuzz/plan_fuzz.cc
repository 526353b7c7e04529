// A .weft plan: all that is read of it before its machine code runs, which is trusted as a program
// is. Checksums stop chance, not the fuzzer: its mutator mends them, so that what is behind them is
// tried as well.
#include <string>
#include <vector>

#include "ir/text.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/plan_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"

namespace {

using weft::PlanEntry;

// The file of these sections, with the checksums it takes.
std::string Assemble(std::vector<PlanEntry> entries, const std::vector<std::string>& contents) {
  constexpr uint64_t kAlignment = 4096;
  uint64_t end = weft::EncodePlanHeader(entries, 0).size();
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].offset = (end + kAlignment - 1) / kAlignment * kAlignment;
    entries[i].size = contents[i].size();
    entries[i].checksum = weft::Checksum::Of(absl::MakeConstSpan(
        reinterpret_cast<const uint8_t*>(contents[i].data()), contents[i].size()));
    end = entries[i].offset + entries[i].size;
  }
  const std::vector<uint8_t> header = weft::EncodePlanHeader(entries, end);
  std::string file(header.begin(), header.end());
  file.resize(end);
  for (size_t i = 0; i < entries.size(); ++i)
    contents[i].copy(file.data() + entries[i].offset, contents[i].size());
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
  // One section, as JSON where it is that, and all checksums.
  const auto mutate = [](absl::string_view input, size_t room, weft::fuzz::Random& random) {
    const absl::Span<const uint8_t> file(reinterpret_cast<const uint8_t*>(input.data()),
                                         input.size());
    const auto entries = weft::DecodePlanHeader(file, "x");
    if (!entries.ok() || entries->empty()) return std::string();
    std::vector<std::string> contents;
    for (const PlanEntry& entry : *entries)
      contents.emplace_back(input.substr(entry.offset, entry.size));
    std::string& chosen = contents[weft::fuzz::Below(contents.size(), random)];
    std::string json;
    if (random() % 2 == 0) json = weft::fuzz::MutateJson(chosen, room, random);
    chosen = json.empty() ? weft::fuzz::MutateBytes(chosen, room, random) : json;
    return Assemble(*entries, contents);
  };
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, mutate);
}
