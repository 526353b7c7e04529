#include "codegen/kernel_harness.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "codegen/jit.h"
#include "codegen/layout.h"
#include "codegen/pack/pack.h"
#include "ir/evaluator_ops.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"
#include "runtime/abi/q8_0.h"
#include "runtime/base/cpu.h"

namespace weft::codegen {
namespace {

using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;
using ir::Value;

constexpr uint64_t kPage = 4096;
// As F32 it is NaN, so that a value that was never written shows.
constexpr uint8_t kFiller = 0xFF;

class TestReader : public ir::WeightReader {
 public:
  explicit TestReader(const TestTensors& tensors) : tensors_(tensors) {}
  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override {
    const std::vector<uint8_t>& bytes = tensors_.at(tensor.name);
    if (tensor.dtype == DataType::kQ8_0) {
      DequantizeQ8_0(bytes.data() + begin / kQ8BlockValues * kQ8BlockBytes,
                     static_cast<int64_t>(out.size()), out.data());
    } else {
      std::memcpy(out.data(), bytes.data() + begin * 4, out.size() * 4);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& tensor) const override {
    return absl::MakeConstSpan(tensors_.at(tensor.name));
  }
  void Release(const ir::SourceTensor& /*tensor*/) const override {}

 private:
  const TestTensors& tensors_;
};

int64_t RoundUp(int64_t value, int64_t multiple) { return CeilDiv(value, multiple) * multiple; }

// Compiled once per spec and target: a test runs the same kernel over many numbers of tokens. Null
// where it failed.
KernelFn CompiledKernel(const KernelSpec& spec, const Target& target) {
  static auto* const kernels =
      new std::map<std::string, std::pair<std::unique_ptr<Jit>, KernelFn>>();
  auto [place, is_new] = kernels->try_emplace(absl::StrCat(target.name, " ", spec.Key()));
  auto& [jit, function] = place->second;
  if (!is_new) return function;
  const auto choice = ChooseEmitter(spec, target);
  EXPECT_TRUE(choice.ok()) << choice.status();
  if (!choice.ok()) return nullptr;
  const Kernel kernel{"kernel", spec, *choice};
  static auto* const objects = new ObjectCache();  // tiers may emit the same
  const auto object = CompileToObject(absl::MakeConstSpan(&kernel, 1), target, objects);
  EXPECT_TRUE(object.ok()) << object.status();
  if (!object.ok()) return nullptr;
  auto loaded = Jit::Load(*object);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  if (!loaded.ok()) return nullptr;
  jit = *std::move(loaded);
  const auto found = jit->Lookup("kernel");
  EXPECT_TRUE(found.ok()) << found.status();
  if (found.ok()) function = *found;
  return function;
}

// One run of a module.
class Runner {
 public:
  Runner(absl::string_view text, const TestTensors& tensors, const Target& target,
         const KernelRun& run, double tolerance)
      : module_(*ir::ParseWithoutVerifying(text)),
        reader_(tensors),
        target_(target),
        run_(run),
        tolerance_(tolerance),
        tokens_(static_cast<size_t>(run.tokens), 0),
        context_{module_, reader_, tokens_, run.logit_rows},
        values_(module_.id_bound()) {
    for (NodeId id : module_.order()) {
      Node& node = module_.node(id);
      if (HasRows(node.type)) node.Set(Attr::kStride, RoundUp(RowBytes(node.type), 64));
      if (node.Has(Attr::kSlices)) {
        const int64_t heads = node.Int(Attr::kHeads);
        node.Set(Attr::kWorkspace, WorkspaceBytes(heads, node.type.last().value() / heads,
                                                  run.context, node.Int(Attr::kWindow, 0)));
      }
      buffers_.emplace_back(BufferBytes(node));
      workspaces_.emplace_back(node.Int(Attr::kWorkspace, 0));
    }
  }

  std::vector<uint8_t> Run() {
    for (NodeId id : module_.order()) {
      const Node& node = module_.node(id);
      if (node.op == Op::kInput) {
        Fill(id);
      } else if (node.op == Op::kWeight || node.op == Op::kConcat) {
        values_[id] = Reference(id);
      } else if (node.op == Op::kPack || node.op == Op::kRopeTable) {
        values_[id] = Reference(id);
        Pack(id);
      } else {
        RunStep(id);
      }
    }
    const GuardedBuffer& last = buffers_[module_.order().back()];
    return {last.data(), last.data() + last.size()};
  }

 private:
  static bool HasRows(const ir::Type& type) {
    return type.rank() == 2 && type.dims[0].is_symbol() && type.dtype != DataType::kI32;
  }
  static int64_t RowBytes(const ir::Type& type) {
    const int64_t width = type.last().value();
    return type.dtype == DataType::kQ8A ? ActivationSums(width) + Blocks(width) * 4 : width * 4;
  }
  int64_t Count(const ir::Dim& dim) const {
    if (!dim.is_symbol()) return dim.value();
    return dim.symbol() == ir::Symbol::kLogitRows ? run_.logit_rows : run_.tokens;
  }

  // As exact as the layout allows, so that one byte too far is the guard's.
  uint64_t BufferBytes(const Node& node) const {
    const ir::Type& type = node.type;
    if (node.op == Op::kKvAppend) {
      return type.dims[2].value() *
             (KeyHeadBytes(type.dtype, run_.context, type.dims[3].value()) +
              ValueHeadBytes(type.dtype, run_.context, type.dims[3].value()));
    }
    if (type.dtype == DataType::kI32) return Count(type.dims[0]) * 4;
    if (HasRows(type)) {
      // Rows of q8a are padded: kernels may write whole vectors of quants.
      const int64_t last = type.dtype == DataType::kQ8A ? node.Int(Attr::kStride) : RowBytes(type);
      return (Count(type.dims[0]) - 1) * node.Int(Attr::kStride) + last;
    }
    if (type.layout != ir::Layout::kRows)
      return Panels(type.dims[0].value()) * PanelBytes(type.dtype, type.dims[1].value());
    uint64_t values = 1;
    for (const ir::Dim& dim : type.dims) values *= dim.value();
    return values * 4;
  }

  void Fill(NodeId id) {
    const Node& node = module_.node(id);
    Value& value = values_[id];
    for (const ir::Dim& dim : node.type.dims) value.dims.push_back(Count(dim));
    // The same values for every target and group, others for every node.
    std::mt19937 random(1000 + id);
    if (node.type.dtype == DataType::kI32) {
      const bool positions = node.String(Attr::kName) == "positions";
      for (int64_t i = 0; i < value.dims[0]; ++i)
        value.ints.push_back(positions ? static_cast<int32_t>(i)
                                       : static_cast<int32_t>(random() % 7));
      std::memcpy(buffers_[id].data(), value.ints.data(), value.ints.size() * 4);
      return;
    }
    std::normal_distribution<float> normal;
    value.floats.reserve(value.dims[0] * value.dims[1]);
    for (int64_t i = 0; i < value.dims[0] * value.dims[1]; ++i)
      value.floats.push_back(normal(random));
    for (int64_t row = 0; row < value.dims[0]; ++row) {
      std::memcpy(buffers_[id].data() + row * node.Int(Attr::kStride),
                  value.floats.data() + row * value.dims[1], value.dims[1] * 4);
    }
  }

  Value Reference(NodeId id) {
    const Node& node = module_.node(id);
    std::vector<const Value*> operands;
    operands.reserve(node.operands.size());
    for (NodeId operand : node.operands) operands.push_back(&values_[operand]);
    auto value = ir::EvaluateOp(context_, node, operands);
    WEFT_CHECK(value.ok());
    return *std::move(value);
  }

  // Packs this one node, by a copy of the module in which it is the only one to pack.
  void Pack(NodeId id) {
    ir::Module single = module_;
    std::vector<NodeId> order;
    for (NodeId other : single.order()) {
      const Op op = single.node(other).op;
      if (op == Op::kWeight || other == id) order.push_back(other);
    }
    single.SetOrder(order);
    single.node(id).Set(Attr::kAddress, int64_t{0});
    single.node(id).Set(Attr::kBytes, static_cast<int64_t>(buffers_[id].size()));
    std::memset(buffers_[id].data(), 0, buffers_[id].size());
    const auto report = PackWeights(
        single, reader_, absl::MakeSpan(buffers_[id].data(), buffers_[id].size()), {.threads = 2});
    ASSERT_TRUE(report.ok()) << report.status();
  }

  void RunStep(NodeId id) {
    const Node& node = module_.node(id);
    const auto type = ir::InferType(module_, node);
    ASSERT_TRUE(type.ok() && *type == node.type)
        << ir::PrintNode(module_, id) << ": " << type.status();
    std::vector<KernelFn> functions;
    for (int phase = 0; phase < Phases(node); ++phase) {
      functions.push_back(CompiledKernel(MakeSpec(module_, node, run_.context, phase), target_));
      ASSERT_NE(functions.back(), nullptr);
    }
    const int64_t piece = run_.piece == 0 ? run_.tokens : run_.piece;
    for (int64_t first = 0; first < run_.tokens; first += piece) {
      const int64_t tokens = std::min(piece, run_.tokens - first);
      for (size_t phase = 0; phase < functions.size(); ++phase)
        RunPiece(id, static_cast<int>(phase), functions[phase], first, tokens);
    }
    values_[id] = Decode(id);
    Compare(id, Reference(id));
  }

  void RunPiece(NodeId id, int phase, KernelFn function, int64_t first, int64_t tokens) {
    const Node& node = module_.node(id);
    const auto at = [&](NodeId value) {
      return buffers_[value].data() + first * module_.node(value).Int(Attr::kStride, 0);
    };
    std::vector<void*> operands;
    operands.reserve(node.operands.size() + 1);
    for (NodeId operand : OperandsOf(node, phase))
      operands.push_back(operand == kWorkspace ? workspaces_[id].data() : at(operand));
    operands.push_back(at(id));
    const KernelContext context{tokens, run_.piece == 0 ? run_.logit_rows : 1, first};
    int64_t units = node.Int(Attr::kUnits);
    if (phase == 1) {
      units = node.Int(Attr::kHeads) * tokens;
    } else if (node.String(Attr::kPartition).starts_with("token")) {
      const bool logits = node.type.dims[0] == ir::Dim(ir::Symbol::kLogitRows);
      units *= CeilDiv(logits ? run_.logit_rows : tokens, node.Int(Attr::kUnitRows, 1));
    }
    const int64_t group = run_.group == 0 ? units : run_.group;
    for (int64_t begin = 0; begin < units; begin += group)
      function(&context, operands.data(), begin, std::min(begin + group, units));
  }

  Value Decode(NodeId id) const {
    const Node& node = module_.node(id);
    const ir::Type& type = node.type;
    const uint8_t* data = buffers_[id].data();
    Value value;
    if (type.dtype == DataType::kI32) {
      value.dims = {Count(type.dims[0])};
      value.ints.resize(value.dims[0]);
      std::memcpy(value.ints.data(), data, value.ints.size() * 4);
    } else if (node.op == Op::kKvAppend) {
      DecodeCache(type, data, &value);
    } else {
      const int64_t width = type.last().value();
      value.dims = {Count(type.dims[0]), width};
      for (int64_t row = 0; row < value.dims[0]; ++row) {
        const uint8_t* at = data + row * node.Int(Attr::kStride);
        for (int64_t i = 0; i < width; ++i)
          value.floats.push_back(type.dtype == DataType::kQ8A ? Quant(at, width, i)
                                                              : Float(at + i * 4));
      }
    }
    return value;
  }

  static float Float(const uint8_t* at) {
    float value = 0;
    std::memcpy(&value, at, 4);
    return value;
  }

  // The value of a quantised activation; its block's sum is checked on the way.
  static float Quant(const uint8_t* row, int64_t width, int64_t i) {
    const auto* quants = reinterpret_cast<const int8_t*>(row);
    const int64_t block = i / kBlock;
    int32_t sum = 0;
    for (int64_t k = 0; k < kBlock; ++k) sum += quants[block * kBlock + k];
    int32_t stored = 0;
    std::memcpy(&stored, row + ActivationSums(width) + block * 4, 4);
    EXPECT_EQ(stored, sum);
    return static_cast<float>(quants[i]) * Float(row + ActivationScales(width) + block * 4);
  }

  static float Half(const uint8_t* at) {
    uint16_t bits = 0;
    std::memcpy(&bits, at, 2);
    return F16ToF32(bits);
  }

  // Value i of `at`, which holds f32 or f16.
  static float FloatOf(DataType dtype, const uint8_t* at, int64_t i) {
    return dtype == DataType::kF16 ? Half(at + i * 2) : Float(at + i * 4);
  }

  void DecodeCache(const ir::Type& type, const uint8_t* data, Value* value) const {
    const int64_t heads = type.dims[2].value();
    const int64_t head_dim = type.dims[3].value();
    const int64_t key_head = KeyHeadBytes(type.dtype, run_.context, head_dim);
    const int64_t value_head = ValueHeadBytes(type.dtype, run_.context, head_dim);
    const auto quant = [](const uint8_t* scale, const uint8_t* at) {
      return Half(scale) * static_cast<float>(static_cast<int8_t>(*at));
    };
    const auto key = [&](int64_t h, int64_t t, int64_t d) {
      const uint8_t* panel = data + h * key_head + t / 16 * KeyPanelBytes(type.dtype, head_dim);
      if (type.dtype != DataType::kQ8_0) return FloatOf(type.dtype, panel, d * 16 + t % 16);
      panel += d / 32 * (32 + 512);
      return quant(panel + t % 16 * 2, panel + 32 + d % 32 * 16 + t % 16);
    };
    const auto entry = [&](int64_t h, int64_t t, int64_t d) {
      const uint8_t* chunk =
          data + heads * key_head + h * value_head + t / 64 * ValueChunkBytes(type.dtype, head_dim);
      if (type.dtype != DataType::kQ8_0)
        return FloatOf(type.dtype, chunk, (d / 16 * 64 + t % 64) * 16 + d % 16);
      chunk += d / 32 * (128 + 2048);
      return quant(chunk + t % 64 * 2, chunk + 128 + t % 64 * 32 + d % 32);
    };
    value->dims = {run_.tokens, 2, heads, head_dim};
    for (int64_t t = 0; t < run_.tokens; ++t) {
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t d = 0; d < head_dim; ++d) value->floats.push_back(key(h, t, d));
      }
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t d = 0; d < head_dim; ++d) value->floats.push_back(entry(h, t, d));
      }
    }
  }

  void Compare(NodeId id, const Value& expected) const {
    const Value& actual = values_[id];
    ASSERT_EQ(actual.dims, expected.dims);
    EXPECT_EQ(actual.ints, expected.ints);
    for (size_t i = 0; i < expected.floats.size(); ++i) {
      if (!std::isfinite(expected.floats[i])) {
        const bool same = std::isnan(expected.floats[i]) ? std::isnan(actual.floats[i])
                                                         : actual.floats[i] == expected.floats[i];
        ASSERT_TRUE(same) << expected.floats[i] << " expected, not " << actual.floats[i]
                          << ": value " << i << " of " << ir::PrintNode(module_, id);
        continue;
      }
      const double bound = tolerance_ * (1 + std::fabs(expected.floats[i]));
      ASSERT_NEAR(actual.floats[i], expected.floats[i], bound)
          << "value " << i << " of " << ir::PrintNode(module_, id);
    }
  }

  ir::Module module_;
  const TestReader reader_;
  const Target& target_;
  const KernelRun run_;
  const double tolerance_;
  std::vector<int32_t> tokens_;
  const ir::EvalContext context_;
  std::vector<Value> values_;
  std::vector<GuardedBuffer> buffers_;
  std::vector<GuardedBuffer> workspaces_;
};

}  // namespace

GuardedBuffer::GuardedBuffer(uint64_t bytes)
    : map_bytes_(RoundUp(static_cast<int64_t>(bytes), kPage) + 2 * kPage), size_(bytes) {
  map_ = static_cast<uint8_t*>(
      mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  WEFT_CHECK(map_ != MAP_FAILED);
  WEFT_CHECK(mprotect(map_, kPage, PROT_NONE) == 0);
  WEFT_CHECK(mprotect(map_ + map_bytes_ - kPage, kPage, PROT_NONE) == 0);
  data_ = map_ + map_bytes_ - kPage - bytes;
  std::memset(map_ + kPage, kFiller, map_bytes_ - 2 * kPage);
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& other) noexcept
    : map_(std::exchange(other.map_, nullptr)),
      map_bytes_(other.map_bytes_),
      data_(other.data_),
      size_(other.size_) {}

GuardedBuffer::~GuardedBuffer() {
  if (map_ == nullptr) return;
  for (const uint8_t* at = map_ + kPage; at < data_; ++at) {
    if (*at == kFiller) continue;
    ADD_FAILURE() << "a byte was written " << data_ - at << " bytes before a buffer";
    break;
  }
  munmap(map_, map_bytes_);
}

std::vector<Target> TestTargets() {
  std::vector<Target> targets;
  for (const std::string& name : KnownTargets()) {
    auto target = ParseTarget(name, DetectCpuFeatures());
    if (target.ok() && CheckExecutable(*target, DetectCpuFeatures()).ok())
      targets.push_back(*std::move(target));
  }
  for (Target& target : EmulatedTargets()) targets.push_back(std::move(target));
  return targets;
}

std::vector<uint8_t> RunKernels(absl::string_view text, const TestTensors& tensors,
                                const Target& target, const KernelRun& run, double tolerance) {
  return Runner(text, tensors, target, run, tolerance).Run();
}

void CheckKernels(absl::string_view text, const TestTensors& tensors, double tolerance) {
  // One token, a few, more than the largest tile of tokens with a rest, and more than a chunk of
  // attention.
  for (int64_t tokens : {1, 3, 13, 70}) {
    std::vector<uint8_t> first;
    for (const Target& target : TestTargets()) {
      for (int64_t group : {0, 1, 3}) {
        SCOPED_TRACE(testing::Message()
                     << target.name << ", " << tokens << " tokens, units in groups of " << group);
        const KernelRun run{.tokens = tokens, .logit_rows = (tokens + 1) / 2, .group = group};
        const std::vector<uint8_t> bytes = RunKernels(text, tensors, target, run, tolerance);
        if (testing::Test::HasFatalFailure()) return;
        if (first.empty()) first = bytes;
        EXPECT_EQ(first, bytes) << "bits differ";
      }
    }
  }
}

std::vector<uint8_t> RandomTensor(int64_t values, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> floats(values);
  for (float& value : floats) value = normal(random);
  std::vector<uint8_t> bytes(floats.size() * 4);
  std::memcpy(bytes.data(), floats.data(), bytes.size());
  return bytes;
}

}  // namespace weft::codegen
