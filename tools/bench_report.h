// The results of `weft bench MODEL` as text.
#pragma once

#include <string>

#include "tools/bench_model.h"

namespace weft::tools {

// One object per test, in the manner of llama-bench, with the model's fields in each; floats are
// plain numbers, rates in tokens and 10⁹ bytes per second.
nlohmann::ordered_json BenchJson(const ModelBenchResult& result);

// A Markdown table, what qualifies it below, then the traces of a profile.
std::string BenchMarkdown(const ModelBenchResult& result);

// A header and a row per test: BenchJson's fields but the lists.
std::string BenchCsv(const ModelBenchResult& result);

}  // namespace weft::tools
