#include "passes/select_kv_format.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace weft::passes {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

absl::Status SelectKvFormat(Module* module, const PassOptions& options, bool* changed) {
  const bool quantized = std::ranges::any_of(module->order(), [&](NodeId id) {
    const Node& node = module->node(id);
    return node.op == Op::kWeight && node.Has(Attr::kFormat) &&
           node.String(Attr::kFormat) == weft::Name(DataType::kQ8_0);
  });
  const bool automatic = options.kv == KvMode::kAuto;
  const KvMode mode = automatic ? (quantized ? KvMode::kF16 : KvMode::kF32) : options.kv;
  const std::string format(Name(mode));
  const std::string why = automatic ? (quantized ? "weights in q8_0" : "all weights in f32")
                                    : absl::StrCat("--kv ", format);
  for (NodeId id : module->order()) {
    Node& node = module->node(id);
    if (node.op != Op::kKvAppend) continue;
    if (node.Has(Attr::kFormat) && node.String(Attr::kFormat) == format && node.Has(Attr::kWhy) &&
        node.String(Attr::kWhy) == why) {
      continue;
    }
    node.Set(Attr::kFormat, format);
    node.Set(Attr::kWhy, why);
    node.type.dtype = *ParseDataType(format);
    *changed = true;
  }
  return absl::OkStatus();
}

DataType KvFormat(const Module& module) {
  for (NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op == Op::kKvAppend) return node.type.dtype;
  }
  return DataType::kF32;
}

}  // namespace weft::passes
