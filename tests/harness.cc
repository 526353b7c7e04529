#include "tests/harness.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "codegen/pack/pack.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "frontends/safetensors.h"
#include "runtime/abi/check.h"
#include "runtime/base/cpu.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/session.h"

namespace weft {
namespace {

constexpr char kTiny[] = "tests/oracle/tiny";

template <typename T>
std::vector<T> Values(absl::Span<const uint8_t> file, const TensorEntry& entry) {
  std::vector<T> values(entry.bytes / sizeof(T));
  std::memcpy(values.data(), file.data() + entry.offset, entry.bytes);
  return values;
}

std::vector<int32_t> Narrow(const std::vector<int64_t>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

absl::StatusOr<Golden> ReadGolden(const std::string& folder) {
  const std::string path = folder + "/golden.safetensors";
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  WEFT_ASSIGN_OR_RETURN(const std::vector<TensorEntry> entries,
                        ParseSafetensorsHeader(file->bytes(), path, 0));
  Golden golden;
  for (const TensorEntry& entry : entries) {
    if (entry.name == "input_ids") golden.input_ids = Narrow(Values<int64_t>(file->bytes(), entry));
    if (entry.name == "greedy_ids")
      golden.greedy_ids = Narrow(Values<int64_t>(file->bytes(), entry));
    if (entry.name == "logits") golden.logits = Values<float>(file->bytes(), entry);
    if (entry.name == "hidden_states") golden.hidden_states = Values<float>(file->bytes(), entry);
  }
  if (golden.input_ids.empty() || golden.greedy_ids.empty() || golden.logits.empty() ||
      golden.hidden_states.empty()) {
    return absl::NotFoundError(
        absl::StrCat(path, ": lacks one of input_ids, greedy_ids, logits, hidden_states"));
  }
  return golden;
}

std::vector<std::string> TinyModels() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kTiny))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string TinyPath(const std::string& name) { return absl::StrCat(kTiny, "/", name); }

std::vector<std::string> ExecutableTargets() {
  std::vector<std::string> names;
  for (const std::string& name : codegen::KnownTargets()) {
    const auto target = codegen::ParseTarget(name, DetectCpuFeatures());
    if (target.ok() && codegen::CheckExecutable(*target, DetectCpuFeatures()).ok())
      names.push_back(name);
  }
  return names;
}

std::vector<std::string> TestTargets() {
  std::vector<std::string> names = ExecutableTargets();
  for (const codegen::Target& target : codegen::EmulatedTargets()) {
    const auto same = [&target](const std::string& name) {
      return target.name.starts_with(name + " ");
    };
    if (std::ranges::none_of(names, same)) names.push_back(target.name);
  }
  return names;
}

absl::StatusOr<std::string> ChangedModel(
    const std::string& name,
    absl::FunctionRef<void(const std::string&, absl::Span<const int64_t>, absl::Span<float>)>
        change) {
  // Removes the folders when the program ends.
  struct Folders {
    ~Folders() {
      for (const std::filesystem::path& path : paths) std::filesystem::remove_all(path);
    }
    std::vector<std::filesystem::path> paths;
  };
  static Folders folders;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() /
      absl::StrCat("weft-changed-", getpid(), "-", folders.paths.size());
  std::filesystem::copy(TinyPath(name), folder);
  folders.paths.push_back(folder);
  const std::string path = folder / "model.safetensors";
  WEFT_ASSIGN_OR_RETURN(std::string file, ReadFileToString(path, uint64_t{1} << 30));
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.data());
  WEFT_ASSIGN_OR_RETURN(const std::vector<TensorEntry> entries,
                        ParseSafetensorsHeader({bytes, file.size()}, path, 0));
  for (const TensorEntry& entry : entries) {
    WEFT_CHECK(entry.type == DataType::kF32);
    std::vector<float> values = Values<float>({bytes, file.size()}, entry);
    change(entry.name, entry.dims, absl::MakeSpan(values));
    std::memcpy(file.data() + entry.offset, values.data(), entry.bytes);
  }
  std::ofstream(path, std::ios::binary) << file;
  return folder.string();
}

double RelativeError(absl::Span<const float> a, absl::Span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double error = 0;
  double power = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - b[i], 2);
    power += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(error / power);
}

QuantisedDifference CompareQuantised(absl::Span<const float> logits,
                                     absl::Span<const float> reference, size_t rows) {
  QuantisedDifference difference;
  const size_t vocab = reference.size() / rows;
  for (size_t row = 0; row < rows; ++row) {
    const double error =
        RelativeError(logits.subspan(row * vocab, vocab), reference.subspan(row * vocab, vocab));
    if (error < 1e-4 && difference.exact_rows == row) ++difference.exact_rows;
    difference.worst_row = std::max(difference.worst_row, error);
  }
  return difference;
}

absl::StatusOr<std::unique_ptr<Harness>> Harness::Create(const std::string& path,
                                                         const tools::CompileSettings& settings) {
  auto harness = std::make_unique<Harness>();
  WEFT_ASSIGN_OR_RETURN(harness->model_, LoadModel(path));
  const std::vector<codegen::Target> emulated = codegen::EmulatedTargets();
  const auto target = std::ranges::find(emulated, settings.target, &codegen::Target::name);
  // Most kernels of a program are those of another too.
  static auto* const objects = new codegen::ObjectCache();
  tools::CompileSettings known = settings;
  known.objects = objects;
  if (target != emulated.end()) known.target = "x86-64-v3";
  WEFT_ASSIGN_OR_RETURN(tools::CompiledModel compiled, tools::CompileModel(harness->model_, known));
  if (target != emulated.end()) {
    const passes::PassOptions& pass = settings.pipeline.pass;
    WEFT_ASSIGN_OR_RETURN(
        const codegen::BuiltProgram built,
        codegen::BuildProgram(compiled.module, *target,
                              {pass.max_tokens, pass.max_logit_rows, harness->model_.context}));
    WEFT_CHECK(built.program == compiled.program);
    WEFT_ASSIGN_OR_RETURN(compiled.codes[0].object,
                          codegen::CompileToObject(built, *target, nullptr, objects));
    compiled.codes[0].target = *target;
  }
  WEFT_ASSIGN_OR_RETURN(harness->jit_, codegen::Jit::Load(compiled.codes[0].object));
  harness->compiled_ = std::make_shared<const tools::CompiledModel>(std::move(compiled));
  WEFT_RETURN_IF_ERROR(harness->PackWeights());
  return harness;
}

absl::StatusOr<std::unique_ptr<Harness>> Harness::WithWeightsOf(const std::string& path) const {
  auto harness = std::make_unique<Harness>();
  WEFT_ASSIGN_OR_RETURN(harness->model_, LoadModel(path));
  harness->compiled_ = compiled_;
  harness->jit_ = jit_;
  WEFT_RETURN_IF_ERROR(harness->PackWeights());
  return harness;
}

absl::Status Harness::PackWeights() {
  const uint64_t bytes = compiled_->program.weight_bytes;
  WEFT_ASSIGN_OR_RETURN(weights_, AnonymousMemory::Map(bytes, "packed weights"));
  return codegen::PackWeights(compiled_->module, *model_.weights,
                              absl::MakeSpan(weights_.data(), bytes), {.threads = 2})
      .status();
}

absl::StatusOr<std::unique_ptr<Executor>> Harness::MakeExecutor(int threads, bool debug_poison,
                                                                bool profile) const {
  const Program& program = compiled_->program;
  WEFT_ASSIGN_OR_RETURN(std::vector<KernelFn> kernels, jit_->KernelsOf(program));
  return Executor::Create(program, std::move(kernels), weights_.data(),
                          {.threads = threads, .debug_poison = debug_poison, .profile = profile});
}

absl::StatusOr<std::vector<float>> Harness::Logits(Executor* executor,
                                                   absl::Span<const int32_t> ids, int64_t chunk) {
  Session session(executor);
  std::vector<float> all;
  WEFT_RETURN_IF_ERROR(session.PrefillWithLogits(
      ids,
      [&all](int64_t /*position*/, absl::Span<const float> logits) {
        all.insert(all.end(), logits.begin(), logits.end());
        return absl::OkStatus();
      },
      chunk));
  return all;
}

absl::StatusOr<std::vector<int32_t>> Harness::Greedy(Executor* executor,
                                                     absl::Span<const int32_t> ids, int64_t chunk,
                                                     int count) {
  Session session(executor);
  WEFT_RETURN_IF_ERROR(session.Prefill(ids, chunk));
  std::vector<int32_t> tokens;
  while (static_cast<int>(tokens.size()) < count) {
    tokens.push_back(session.Argmax());
    WEFT_RETURN_IF_ERROR(session.Decode(tokens.back()));
  }
  return tokens;
}

tools::CompileSettings TestSettings(const std::string& target, passes::WeightsMode weights) {
  tools::CompileSettings settings;
  settings.target = target;
  settings.pipeline.pass.weights = weights;
  settings.pipeline.pass.max_tokens = 64;
  settings.pipeline.pass.max_logit_rows = 64;
  settings.pipeline.check_unchanged = true;
  return settings;
}

}  // namespace weft
