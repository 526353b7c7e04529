#include "codegen/program_builder.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/layout.h"
#include "ir/text.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Nodes that the caller or the compiler computes, or that only name part of another.
bool IsStep(const Node& node) {
  switch (node.op) {
    case Op::kInput:
    case Op::kWeight:
    case Op::kConcat:
    case Op::kPack:
    case Op::kRopeTable:
      return false;
    case Op::kSlice:
      return !node.Bool(Attr::kView);
    case Op::kEmbed:
    case Op::kRmsNorm:
    case Op::kLayerNorm:
    case Op::kMatmul:
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kActivate:
    case Op::kGatedActivate:
    case Op::kSoftcap:
    case Op::kRope:
    case Op::kKvAppend:
    case Op::kAttention:
    case Op::kSelectRows:
    case Op::kArgmax:
      return true;
  }
  WEFT_CHECK(false);
}

class Builder {
 public:
  Builder(const ir::Module& module, const Target& target, const ProgramLimits& limits)
      : module_(module), target_(target), limits_(limits), lines_(ir::LinesOf(module)) {}

  absl::StatusOr<BuiltProgram> Build() {
    Program& program = built_.program;
    program.max_tokens = limits_.max_tokens;
    program.max_logit_rows = limits_.max_logit_rows;
    program.context = limits_.context;
    for (NodeId id : module_.order()) {
      const Node& node = module_.node(id);
      if (node.Has(Attr::kAddress)) Grow(Ref(id, false));
      if (node.Has(Attr::kWorkspace)) Grow(Workspace(id, false));
      if (node.op == Op::kInput)
        (node.String(Attr::kName) == "tokens" ? program.tokens : program.positions) =
            Ref(id, false);
      if (!IsStep(node)) continue;
      for (int phase = 0; phase < Phases(node); ++phase) {
        if (absl::Status status = AddStep(id, phase); !status.ok()) return status;
      }
    }
    for (NodeId id : module_.outputs) {
      const Node& node = module_.node(id);
      const bool in_arena = node.Has(Attr::kSpace) && node.String(Attr::kSpace) == "arena";
      if (!in_arena || (node.type.dtype != DataType::kI32 && node.type.rank() != 2)) {
        return absl::InvalidArgumentError(
            absl::StrCat("a program returns logits and their argmax, not '", node.location, "'"));
      }
      if (node.type.dtype == DataType::kI32) {
        program.argmax = Ref(id, false);
      } else {
        program.logits = Ref(id, false);
        program.logits_stride = static_cast<uint64_t>(node.Int(Attr::kStride));
        program.vocab = node.type.last().value();
      }
    }
    if (program.tokens.bytes == 0 || program.positions.bytes == 0 || program.logits.bytes == 0 ||
        program.argmax.bytes == 0) {
      return absl::InvalidArgumentError(
          "a program needs the inputs tokens and positions, and returns logits and their argmax");
    }
    return std::move(built_);
  }

 private:
  int64_t Rows(const ir::Dim& dim) const {
    if (!dim.is_symbol()) return dim.value();
    return dim.symbol() == ir::Symbol::kTokens ? limits_.max_tokens : limits_.max_logit_rows;
  }

  // A view has a node's address, but its bytes are those of its columns over all rows.
  OperandRef Ref(NodeId id, bool written) const {
    const Node& node = module_.node(id);
    OperandRef ref{.offset = static_cast<uint64_t>(node.Int(Attr::kAddress)), .written = written};
    const std::string& space = node.String(Attr::kSpace);
    ref.space = space == "arena" ? Space::kArena
                : space == "kv"  ? Space::kKvCache
                                 : Space::kWeights;
    if (node.Bool(Attr::kView)) {
      ref.bytes = static_cast<uint64_t>((Rows(node.type.dims[0]) - 1) * node.Int(Attr::kStride) +
                                        node.type.last().value() * 4);
    } else {
      ref.bytes = static_cast<uint64_t>(node.Int(Attr::kBytes) - node.Int(Attr::kWorkspace, 0));
    }
    return ref;
  }

  OperandRef Workspace(NodeId id, bool written) const {
    OperandRef ref = Ref(id, written);
    ref.offset += ref.bytes;
    ref.bytes = static_cast<uint64_t>(module_.node(id).Int(Attr::kWorkspace));
    return ref;
  }

  void Grow(const OperandRef& ref) {
    Program& program = built_.program;
    uint64_t& size = ref.space == Space::kArena     ? program.arena_bytes
                     : ref.space == Space::kKvCache ? program.kv_bytes
                                                    : program.weight_bytes;
    size = std::max(size, ref.offset + ref.bytes);
  }

  absl::Status AddStep(NodeId id, int phase) {
    const Node& node = module_.node(id);
    absl::StatusOr<const Kernel*> kernel = KernelOf(id, phase);
    if (!kernel.ok()) return kernel.status();
    Step step{.name = node.location, .kernel = (*kernel)->name};
    step.kind =
        absl::StrCat(ir::Name(node.op), node.Has(Attr::kEpilogue) ? "+" : "",
                     absl::StrJoin(node.Strings(Attr::kEpilogue), "+"), phase == 1 ? " merge" : "");
    const std::string& partition = node.String(Attr::kPartition);
    if (partition == "tokens" || partition == "token_heads") {
      step.extent = node.type.dims[0] == ir::Dim(ir::Symbol::kLogitRows) ? Extent::kLogitRows
                                                                         : Extent::kTokens;
    }
    step.units = node.Int(Attr::kUnits, 1);
    step.unit_rows = node.Int(Attr::kUnitRows, 1);
    step.grain = node.Int(Attr::kGrain, 1);
    const bool merge = phase == 1;
    if (merge) {  // a head of a token each
      step.units = node.Int(Attr::kHeads);
      step.unit_rows = 1;
    }
    for (NodeId operand : OperandsOf(node, phase))
      step.operands.push_back(operand == kWorkspace ? Workspace(id, !merge) : Ref(operand, false));
    step.operands.push_back(Ref(id, true));
    if (merge) {
      step.operands.back().stride = static_cast<uint64_t>(node.Int(Attr::kStride));
    } else if (step.extent != Extent::kOne) {
      MarkRows(node, &step);
    }
    if (node.op == Op::kMatmul) Describe(node, &step);
    built_.program.steps.push_back(std::move(step));
    built_.step_lines.push_back(lines_[id]);
    return absl::OkStatus();
  }

  // Says of which operands units of row r touch row r alone. What select_rows reads is not divided
  // like its result, and vectors of ids and positions need no mark, since no step writes them.
  void MarkRows(const Node& node, Step* step) const {
    if (!ir::IsRowWise(node.op) && node.op != Op::kSelectRows) return;
    const auto mark = [&](const Node& value, OperandRef* ref) {
      const bool same_rows = value.type.dims[0] == node.type.dims[0] ||
                             (node.op == Op::kKvAppend && value.type.dims[0].is_symbol());
      if (ref->space == Space::kArena && value.type.rank() == 2 && same_rows)
        ref->stride = static_cast<uint64_t>(value.Int(Attr::kStride));
    };
    for (size_t i = 0; i < node.operands.size(); ++i)
      mark(module_.node(node.operands[i]), &step->operands[i]);
    mark(node, &step->operands.back());
  }

  void Describe(const Node& node, Step* step) {
    std::vector<std::string> parts;
    for (NodeId weight : module_.OperandsOf(node).weights) {
      const Node& packed = module_.node(weight);
      const int64_t rows = packed.type.dims[0].value();
      const int64_t k = packed.type.dims[1].value();
      step->weight_bytes += packed.Int(Attr::kBytes);
      step->macs_per_row += rows * k;
      parts.push_back(absl::StrCat(Name(packed.type.dtype), " ", rows, "x", k));
    }
    step->detail = absl::StrJoin(parts, " + ");
  }

  absl::StatusOr<const Kernel*> KernelOf(NodeId id, int phase) {
    const Node& node = module_.node(id);
    KernelSpec spec = MakeSpec(module_, node, limits_.context, phase);
    std::string key = spec.Key();
    if (auto found = by_key_.find(key); found != by_key_.end())
      return &built_.kernels[found->second];
    absl::StatusOr<Choice> choice = ChooseEmitter(spec, target_);
    if (!choice.ok())
      return absl::Status(choice.status().code(),
                          absl::StrCat(node.location, ": ", choice.status().message()));
    const std::string base = spec.BaseName();
    std::string name = base;
    // On from the last that was taken: thousands of kernels may have one base.
    for (int& n = counts_[base]; !names_.insert(name).second;)
      name = absl::StrCat(base, "_v", ++n + 1);
    by_key_.emplace(std::move(key), built_.kernels.size());
    built_.kernels.push_back({std::move(name), std::move(spec), *std::move(choice), lines_[id]});
    return &built_.kernels.back();
  }

  const ir::Module& module_;
  const Target& target_;
  const ProgramLimits limits_;
  const std::vector<int> lines_;  // of the module's text, by node
  BuiltProgram built_;
  absl::flat_hash_map<std::string, size_t> by_key_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_map<std::string, int> counts_;  // of names by their base, but for the first
};

std::string RefText(const OperandRef& ref) {
  const char* space = ref.space == Space::kArena     ? "arena"
                      : ref.space == Space::kKvCache ? "kv"
                                                     : "weights";
  return absl::StrCat(ref.written ? "-> " : "", space, "[", ref.offset, ",+", ref.bytes, ")",
                      ref.stride == 0 ? "" : absl::StrCat("/", ref.stride));
}

}  // namespace

absl::StatusOr<BuiltProgram> BuildProgram(const ir::Module& module, const Target& target,
                                          const ProgramLimits& limits) {
  return Builder(module, target, limits).Build();
}

std::string PrintProgram(const Program& program, absl::Span<const Kernel> kernels,
                         absl::FunctionRef<std::string(size_t)> note) {
  std::string text =
      absl::StrCat("program: ", program.steps.size(), " steps, arena ", program.arena_bytes,
                   " B, weights ", program.weight_bytes, " B, kv cache ", program.kv_bytes,
                   " B, at most ", program.max_tokens, " tokens and ", program.max_logit_rows,
                   " rows of logits a run, context ", program.context, "\n");
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const char* extent = step.extent == Extent::kTokens      ? " x T"
                         : step.extent == Extent::kLogitRows ? " x L"
                                                             : "";
    const std::string rows = step.unit_rows == 1 ? "" : absl::StrCat(" / ", step.unit_rows);
    absl::StrAppend(&text, note(i), i, ": ", step.kernel, " units ", step.units, extent, rows,
                    " grain ", step.grain, " ",
                    absl::StrJoin(step.operands, " ",
                                  [](std::string* out, const OperandRef& ref) {
                                    absl::StrAppend(out, RefText(ref));
                                  }),
                    " @ ", step.name, "\n");
  }
  for (const Kernel& kernel : kernels) {
    absl::StrAppend(&text, "kernel ", kernel.name, ": ", kernel.choice.emitter->name);
    for (const std::string& refusal : kernel.choice.refusals)
      absl::StrAppend(&text, "; refused by ", refusal);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace weft::codegen
