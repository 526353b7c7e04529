#include "tests/graphs/minimise.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/target.h"
#include "ir/builder.h"
#include "ir/verifier.h"

namespace weft::graphs {
namespace {

using ir::Attr;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Rebuilds types in program order after operands, attributes or tensors have changed; false where
// the result is not legal.
bool Retype(ir::Module* module) {
  for (ir::SourceTensor& tensor : module->tensors) {
    const auto bytes = ir::TensorBytes(tensor.dtype, tensor.dims);
    if (!bytes.ok()) return false;
    tensor.bytes = *bytes;
  }
  for (const NodeId id : module->order()) {
    const auto type = ir::InferType(*module, module->node(id));
    if (!type.ok()) return false;
    module->node(id).type = *type;
  }
  return ir::Verify(*module).ok();
}

// Drops dead nodes, and tensors that no weight names.
void Sweep(ir::Module* module) {
  module->Compact();
  std::set<std::string> used;
  for (const NodeId id : module->order()) {
    if (module->node(id).op == Op::kWeight) used.insert(module->node(id).String(Attr::kTensor));
  }
  ir::Module swept;
  swept.name = module->name;
  for (const ir::SourceTensor& tensor : module->tensors) {
    if (used.contains(tensor.name)) swept.AddTensor(tensor);
  }
  for (const NodeId id : module->order()) swept.Append(module->node(id));
  swept.outputs = module->outputs;
  *module = std::move(swept);
}

// Whether a program can be made of it: it has both inputs, and returns logits and their argmax.
bool IsProgram(const ir::Module& module) {
  const auto inputs = std::ranges::count_if(
      module.order(), [&](NodeId id) { return module.node(id).op == Op::kInput; });
  const Node& argmax = module.node(module.outputs[1]);
  return inputs == 2 && argmax.op == Op::kArgmax && argmax.operands[0] == module.outputs[0] &&
         module.node(module.outputs[0]).type.dims[0] == ir::Dim(ir::Symbol::kLogitRows);
}

class Minimiser {
 public:
  Minimiser(GraphCase failing, std::string kind, const CheckFn& check, int most_checks)
      : best_(std::move(failing)), kind_(std::move(kind)), check_(check), left_(most_checks) {}

  GraphCase Run() {
    bool better = true;
    while (better && left_ > 0) {
      better = false;
      better |= DropVariants();
      better |= ShortenPrompt();
      better |= SimplifyOptions();
      better |= SimplifyVariants();
      better |= ReplaceValues();
      better |= SimplifyAttributes();
      better |= SimplifyWeights();
      better |= ShrinkDims();
    }
    return best_;
  }

 private:
  // Keeps the candidate where it fails in the same way.
  bool Try(GraphCase candidate) {
    if (left_ <= 0) return false;
    --left_;
    if (KindOf(check_(candidate)) != kind_) return false;
    best_ = std::move(candidate);
    return true;
  }

  // With a change of the module, which may turn out illegal.
  template <typename Change>
  bool TryModule(Change change) {
    GraphCase candidate = best_;
    if (!change(&candidate.module) || !Retype(&candidate.module)) return false;
    Sweep(&candidate.module);
    if (!IsProgram(candidate.module)) return false;
    return Try(std::move(candidate));
  }

  template <typename T>
  bool TrySetting(T passes::PassOptions::* field, const T& value) {
    if (best_.options.*field == value) return false;
    GraphCase candidate = best_;
    candidate.options.*field = value;
    return Try(std::move(candidate));
  }

  bool DropVariants() {
    bool better = false;
    for (size_t i = 0; i < best_.variants.size() && best_.variants.size() > 1;) {
      GraphCase candidate = best_;
      candidate.variants.erase(candidate.variants.begin() + static_cast<std::ptrdiff_t>(i));
      if (Try(std::move(candidate))) {
        better = true;
      } else {
        ++i;
      }
    }
    return better;
  }

  bool ShortenPrompt() {
    bool better = false;
    for (const size_t keep :
         {best_.tokens.size() / 4, best_.tokens.size() / 2, best_.tokens.size() - 1}) {
      if (keep == 0 || keep >= best_.tokens.size()) continue;
      GraphCase candidate = best_;
      candidate.tokens.resize(keep);
      if (Try(std::move(candidate))) {
        better = true;
        break;
      }
    }
    if (std::ranges::any_of(best_.tokens, [](int32_t id) { return id != 0; })) {
      GraphCase candidate = best_;
      std::ranges::fill(candidate.tokens, 0);
      better |= Try(std::move(candidate));
    }
    return better;
  }

  bool SimplifyOptions() {
    using passes::PassOptions;
    bool better = false;
    if (!best_.options.formats.empty()) {
      GraphCase candidate = best_;
      candidate.options.formats.pop_back();
      better |= Try(std::move(candidate));
    }
    better |= TrySetting(&PassOptions::weights, passes::WeightsMode::kF32) ||
              (best_.options.weights == passes::WeightsMode::kAuto &&
               TrySetting(&PassOptions::weights, passes::WeightsMode::kQ8_0));
    better |= TrySetting(&PassOptions::kv, passes::KvMode::kF32);
    const auto prompt = static_cast<int64_t>(best_.tokens.size());
    better |= TrySetting(&PassOptions::max_tokens, std::max(prompt, best_.options.max_logit_rows));
    better |= TrySetting(&PassOptions::max_logit_rows, std::min(prompt, best_.options.max_tokens));
    better |= TrySetting(&PassOptions::context, prompt);
    return better;
  }

  bool SimplifyVariants() {
    bool better = false;
    for (size_t i = 0; i < best_.variants.size(); ++i) {
      const auto change = [&](auto set) {
        GraphCase candidate = best_;
        if (!set(&candidate.variants[i])) return;
        better |= Try(std::move(candidate));
      };
      change([](Variant* v) { return std::exchange(v->plan, false); });
      change([](Variant* v) { return std::exchange(v->poison, false); });
      change([](Variant* v) { return std::exchange(v->threads, 1) != 1; });
      const auto prompt = static_cast<int64_t>(best_.tokens.size());
      change([&](Variant* v) { return std::exchange(v->chunk, prompt) != prompt; });
      change([](Variant* v) {
        return std::exchange(v->tier, codegen::Tier::kAvx2) != codegen::Tier::kAvx2;
      });
      for (size_t pass = best_.variants[i].disabled.size(); pass-- > 0;) {
        change([&](Variant* v) {
          if (pass >= v->disabled.size()) return false;
          v->disabled.erase(v->disabled.begin() + static_cast<std::ptrdiff_t>(pass));
          return true;
        });
      }
      // What cannot do without the passes left out: with all left out, the graph is run as it is.
      change([](Variant* v) {
        const std::vector<std::string> all = OptionalPasses();
        return std::exchange(v->disabled, all) != all;
      });
    }
    return better;
  }

  // From the end, where a replaced value takes most with it: by one of its operands, by any earlier
  // value of its type.
  bool ReplaceValues() {
    bool better = false;
    for (size_t place = best_.module.order().size(); place-- > 0;) {
      if (place >= best_.module.order().size()) continue;
      const NodeId id = best_.module.order()[place];
      std::vector<NodeId> others = best_.module.node(id).operands;
      for (size_t before = 0; before < place; ++before)
        others.push_back(best_.module.order()[before]);
      int tried = 0;
      for (const NodeId other : others) {
        if (!(best_.module.node(other).type == best_.module.node(id).type)) continue;
        if (best_.module.node(id).op == Op::kInput || ++tried > 3) continue;
        const bool replaced = TryModule([&](ir::Module* module) {
          module->ReplaceUses(id, other);
          return true;
        });
        better |= replaced;
        if (replaced) break;
      }
    }
    return better;
  }

  bool SimplifyAttributes() {
    bool better = false;
    for (size_t place = 0; place < best_.module.order().size(); ++place) {
      const NodeId id = best_.module.order()[place];
      if (best_.module.node(id).Has(Attr::kWindow) &&
          best_.module.node(id).Int(Attr::kWindow) > 1) {
        better |= TryModule([&](ir::Module* module) {
          module->node(id).Set(Attr::kWindow, int64_t{1});
          return true;
        });
      }
      for (const Attr attr : ir::GetInfo(best_.module.node(id).op).optional) {
        if (!best_.module.node(id).Has(attr) || attr == Attr::kWeights) continue;
        better |= TryModule([&](ir::Module* module) {
          module->node(id).Remove(attr);
          return true;
        });
      }
    }
    return better;
  }

  // Weights in F32, whole and of their own; the first of several.
  bool SimplifyWeights() {
    bool better = false;
    for (size_t i = 0; i < best_.module.tensors.size(); ++i) {
      if (best_.module.tensors[i].dtype == DataType::kF32) continue;
      better |= TryModule([&](ir::Module* module) {
        module->tensors[i].dtype = DataType::kF32;
        return true;
      });
    }
    for (size_t place = 0; place < best_.module.order().size(); ++place) {
      const NodeId id = best_.module.order()[place];
      const Node& node = best_.module.node(id);
      const bool cut =
          node.op == Op::kWeight && (node.Has(Attr::kRows) || node.Bool(Attr::kTransposed));
      if (node.op != Op::kConcat && !cut) continue;
      better |= TryModule([&](ir::Module* module) {
        const ir::Type type = module->node(id).type;
        ir::SourceTensor tensor{.name = absl::StrCat("m", module->tensors.size(), "~0.25")};
        if (module->FindTensor(tensor.name) != nullptr) return false;
        for (const ir::Dim& dim : type.dims) tensor.dims.push_back(dim.value());
        Node& simple = module->node(id);
        simple.op = Op::kWeight;
        simple.operands.clear();
        simple.attrs = {{Attr::kTensor, tensor.name}};
        module->AddTensor(std::move(tensor));
        return true;
      });
    }
    return better;
  }

  // Every dim of one size becomes another, in tensors and in what counts columns.
  bool ShrinkDims() {
    std::set<int64_t> sizes;
    for (const ir::SourceTensor& tensor : best_.module.tensors)
      sizes.insert(tensor.dims.begin(), tensor.dims.end());
    bool better = false;
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
      for (const int64_t smaller : {int64_t{1}, int64_t{2}, int64_t{16}, int64_t{32}, *size / 2}) {
        if (smaller >= *size || smaller < 1) continue;
        if (TryModule([&](ir::Module* module) { return Resize(*size, smaller, module); })) {
          better = true;
          break;
        }
      }
    }
    return better;
  }

  static bool Resize(int64_t from, int64_t to, ir::Module* module) {
    for (ir::SourceTensor& tensor : module->tensors) std::ranges::replace(tensor.dims, from, to);
    for (const NodeId id : module->order()) {
      Node& node = module->node(id);
      for (const Attr attr : {Attr::kBegin, Attr::kEnd, Attr::kGroup}) {
        if (node.Has(attr) && node.Int(attr) == from) node.Set(attr, to);
      }
      if (!node.Has(Attr::kRows)) continue;
      std::vector<int64_t> rows(node.Ints(Attr::kRows).begin(), node.Ints(Attr::kRows).end());
      std::ranges::replace(rows, from, to);
      node.Set(Attr::kRows, std::move(rows));
    }
    return true;
  }

  GraphCase best_;
  const std::string kind_;
  const CheckFn& check_;
  int left_;
};

}  // namespace

std::string KindOf(const absl::Status& failure) {
  if (failure.ok()) return "";
  const absl::string_view message = failure.message();
  size_t end = message.find(':');
  // Which op, or which pass.
  if (absl::StartsWith(message, "step:") || absl::StartsWith(message, "passes:"))
    end = message.find(':', end + 1);
  return std::string(message.substr(0, end));
}

GraphCase Minimise(const GraphCase& failing, const std::string& kind, const CheckFn& check,
                   int most_checks) {
  return Minimiser(failing, kind, check, most_checks).Run();
}

}  // namespace weft::graphs
