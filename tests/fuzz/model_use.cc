#include "tests/fuzz/model_use.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "ir/text.h"
#include "passes/layout.h"
#include "passes/legality.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/chat_template.h"
#include "runtime/text/stream_decoder.h"
#include "tests/fuzz/fuzz_target.h"

namespace weft::fuzz {

namespace {

// Runs longer than the windows through which tokenizers look at a text first.
const std::string& LongText() {
  static const std::string* const text = [] {
    auto* const runs = new std::string(300, ' ');
    for (const std::string_view part :
         {"a", " the", "7", "\n", "don't ", "\xe4\xb8\xad", "\xcc\x81"})
      for (int i = 0; i < 100; ++i) runs->append(part);
    return runs;
  }();
  return *text;
}

}  // namespace

void UseTokenizer(const Tokenizer& tokenizer, absl::string_view prompt) {
  constexpr size_t kMostOfPrompt = 1024;
  for (const std::string_view text :
       {std::string_view("Hello, World! 12345  \n\t<s>[INST]<|im_end|>"),
        std::string_view("\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80\xff\xc3"), std::string_view(),
        std::string_view("the the the the"), std::string_view(LongText()),
        std::string_view(prompt.data(), std::min(prompt.size(), kMostOfPrompt))}) {
    const auto ids = tokenizer.Encode(text);
    if (!ids.ok()) continue;
    for (const int32_t id : *ids) WEFT_CHECK(id >= 0 && id < tokenizer.vocab_size());
    (void)tokenizer.Decode(*ids, /*skip_special=*/false);
    StreamDecoder stream(tokenizer, /*skip_special=*/true);
    for (const int32_t id : *ids) (void)stream.Add(id);
    (void)stream.Flush();
  }
  for (const int32_t id : {-1, 0, 1, tokenizer.vocab_size() - 1, tokenizer.vocab_size()}) {
    (void)tokenizer.TokenBytes(id);
    (void)tokenizer.TokenText(id);
    (void)tokenizer.IsSpecial(id);
  }
}

void UseChatTemplate(absl::string_view source) {
  const auto parsed = ChatTemplate::Create(source, "<s>", "</s>");
  if (!parsed.ok()) return;
  const std::tm now = {};
  (void)parsed->Render({{"system", "be brief"}, {"user", "2 + 2?"}}, true,
                       nlohmann::ordered_json::object(), now);
}

absl::StatusOr<passes::PassOptions> UsePasses(ir::Module* module, absl::string_view printed,
                                              int64_t context) {
  Chooser choose(printed);
  passes::PipelineOptions options;
  options.pass.context = context;
  options.pass.weights = static_cast<passes::WeightsMode>(choose.Below(3));
  options.pass.kv = static_cast<passes::KvMode>(choose.Below(4));
  options.pass.q8_threshold = choose.Below(2) == 0 ? 32 : 1024;
  options.pass.max_tokens = choose.Below(2) == 0 ? 1 : 256;
  for (const passes::Pass& pass : passes::DefaultPipeline())
    if (pass.optional && choose.Below(8) == 0) options.disabled.emplace_back(pass.name);
  WEFT_RETURN_IF_ERROR(passes::RunPipeline(passes::DefaultPipeline(), options, module).status());
  return options.pass;
}

void BuildWherePlanned(const ir::Module& module, passes::PassOptions options) {
  options.context = passes::ResolveContext(module, options).value_or(1);  // none: without tables
  if (!passes::CheckPlanned(module, options).ok()) return;
  for (const std::string& name : codegen::KnownTargets()) {
    const auto target = codegen::ParseTarget(name, CpuFeatures());
    WEFT_CHECK(target.ok());
    (void)codegen::BuildProgram(module, *target,
                                {options.max_tokens, options.max_logit_rows, options.context});
  }
}

void UseModel(const Model& model) {
  const std::string printed = ir::Print(model.module);
  // What a front end makes is legal, and stays so; a pass that says otherwise is named.
  ir::Module module = model.module;
  const auto passed = UsePasses(&module, printed, model.context);
  WEFT_CHECK(!absl::StrContains(passed.status().message(), "illegal module"));
  if (passed.ok()) BuildWherePlanned(module, *passed);
  for (const ir::SourceTensor& tensor : model.module.tensors) {
    int64_t values = 1;
    for (const int64_t dim : tensor.dims) values *= dim;
    const int64_t block = GetInfo(tensor.dtype).block_values;
    const int64_t count = std::min<int64_t>(values, 4 * block);
    std::vector<float> out(static_cast<size_t>(count));
    (void)model.weights->Read(tensor, 0, absl::MakeSpan(out));
    (void)model.weights->Read(tensor, values - count, absl::MakeSpan(out));
  }
  if (model.tokenizer.ok()) UseTokenizer(**model.tokenizer);
  if (!model.text.chat_template.empty()) UseChatTemplate(model.text.chat_template);
}

}  // namespace weft::fuzz
