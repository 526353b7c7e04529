// What tokenising costs by the length of the text, for every kind of text that is known to make a
// tokenizer slow: rows "tokenizer,text,bytes,seconds" of CPU time, the least of three.
// Usage: weft_bench_tokenizer > cost.csv   (from the source folder; bench/tokenizer_cost.py plots
// it)

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/thread_clock.h"
#include "runtime/text/adversarial_texts.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_testing.h"

namespace weft {
namespace {

absl::Status Measure(const std::string& name, const Tokenizer& tokenizer) {
  for (const TextKind& kind : TextKinds()) {
    for (const size_t bytes : {1'000, 10'000, 100'000, 1'000'000}) {
      const std::string text = kind.Make(bytes);
      double least = 1e9;
      for (int i = 0; i < 3; ++i) {
        const double begin = ThreadSeconds();
        WEFT_RETURN_IF_ERROR(tokenizer.Encode(text).status());
        least = std::min(least, ThreadSeconds() - begin);
      }
      std::cout << absl::StrFormat("%s,\"%s\",%d,%.9f\n", name, kind.name, text.size(), least);
    }
  }
  return absl::OkStatus();
}

absl::Status Run() {
  std::cout << "tokenizer,text,bytes,seconds\n";
  for (const auto& [name, file] :
       {std::pair("byte-level BPE (GPT-2)", "gpt2"), {"byte-level BPE (SmolLM2)", "smollm2"}}) {
    const std::string path = VectorTokenizerPath(file);
    WEFT_ASSIGN_OR_RETURN(const std::string json, ReadFileToString(path, uint64_t{1} << 30));
    WEFT_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::FromTokenizerJson(json, path));
    WEFT_RETURN_IF_ERROR(Measure(name, tokenizer));
  }
  WEFT_ASSIGN_OR_RETURN(
      const Tokenizer llama,
      Tokenizer::FromGgufVocabulary(GgufFromTokenizerJson(VectorTokenizerPath("gpt2"), "llama-bpe"),
                                    "llama-bpe"));
  WEFT_RETURN_IF_ERROR(Measure("byte-level BPE (Llama 3's pattern)", llama));
  WEFT_ASSIGN_OR_RETURN(const Tokenizer gemma,
                        Tokenizer::FromGgufVocabulary(Gemma3Excerpt(), "gemma3"));
  return Measure("SentencePiece (Gemma 3)", gemma);
}

}  // namespace
}  // namespace weft

int main() {
  const absl::Status status = weft::Run();
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
