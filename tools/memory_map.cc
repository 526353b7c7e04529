#include "tools/memory_map.h"

#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

// The values that hold bytes of the arena now. When each was last read is looked up once, as it
// ends, so that steps that read all of the arena do not visit all values each.
class Arena {
 public:
  explicit Arena(std::vector<MemoryValue>* values) : values_(*values) {}

  // `step` is none for what the caller writes.
  void Write(const OperandRef& operand, std::string name, std::string kind,
             std::optional<size_t> step) {
    const auto place = current_.find(operand.offset);
    if (place != current_.end()) {
      MemoryValue& value = values_[place->second];
      // The second step of an attention adds to what the first left.
      if (value.bytes == operand.bytes && value.name == name && kind == value.kind + " merge") {
        value.last_step = step;
        return;
      }
    }
    const auto [first, last] = Overlapping(operand);
    for (auto ended = first; ended != last; ++ended) End(&values_[ended->second]);
    current_.erase(first, last);
    if (operand.bytes > 0) {
      current_.emplace(operand.offset, values_.size());
      SetRead(operand, step);
    }
    values_.push_back(
        {operand.offset, operand.bytes, std::move(name), std::move(kind), step, step});
  }

  // No step: the caller, at the end.
  void Read(const OperandRef& operand, std::optional<size_t> step) {
    if (operand.bytes > 0) SetRead(operand, step ? *step : kCaller);
  }

  void Finish() {
    for (const auto& [offset, place] : current_) End(&values_[place]);
  }

 private:
  using Current = std::map<uint64_t, size_t>;  // places among all values, by offset; none overlap
  static constexpr size_t kCaller = std::numeric_limits<size_t>::max();

  // Where the stretch that begins at `offset` or holds it has a boundary there.
  std::map<uint64_t, std::optional<size_t>>::iterator Cut(uint64_t offset) {
    const auto next = read_.lower_bound(offset);
    if (next != read_.end() && next->first == offset) return next;
    return read_.emplace_hint(next, offset,
                              next == read_.begin() ? std::nullopt : std::prev(next)->second);
  }

  void SetRead(const OperandRef& operand, std::optional<size_t> step) {
    const auto first = Cut(operand.offset);
    const auto last = Cut(operand.offset + operand.bytes);
    first->second = step;
    read_.erase(std::next(first), last);
  }

  void End(MemoryValue* value) {
    const auto last = read_.lower_bound(value->offset + value->bytes);
    for (auto stretch = std::prev(read_.upper_bound(value->offset)); stretch != last; ++stretch)
      if (stretch->second && (!value->last_step || *stretch->second > *value->last_step))
        value->last_step = stretch->second;
    if (value->last_step == kCaller) value->last_step = std::nullopt;
  }

  std::pair<Current::iterator, Current::iterator> Overlapping(const OperandRef& operand) {
    const auto last = current_.lower_bound(operand.offset + operand.bytes);
    auto first = current_.lower_bound(operand.offset);
    if (first != current_.begin()) {
      const MemoryValue& before = values_[std::prev(first)->second];
      if (before.offset + before.bytes > operand.offset) --first;
    }
    return {first, last};
  }

  std::vector<MemoryValue>& values_;
  Current current_;
  // The last step that read or wrote the stretch from here to the next; of written stretches since
  // they were.
  std::map<uint64_t, std::optional<size_t>> read_;
};

// Values of a space that is not reused, by offset and size.
using Places = std::map<std::pair<uint64_t, uint64_t>, MemoryValue>;

void Touch(const OperandRef& operand, const Step& step, size_t index, Places* places) {
  const auto [place, is_new] = places->try_emplace(
      {operand.offset, operand.bytes},
      MemoryValue{operand.offset, operand.bytes, step.name, step.kind, index, index});
  place->second.last_step = index;
}

std::vector<MemoryValue> Values(const Places& places) {
  std::vector<MemoryValue> values;
  for (const auto& [place, value] : places) values.push_back(value);
  return values;
}

// What each address of the weights holds.
std::map<uint64_t, std::string> WeightNames(const ir::Module& module) {
  std::map<uint64_t, std::string> names;
  for (const ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.Has(ir::Attr::kAddress) && node.String(ir::Attr::kSpace) == "weights")
      names[static_cast<uint64_t>(node.Int(ir::Attr::kAddress))] = node.location;
  }
  return names;
}

std::string Place(const std::optional<size_t>& step, const char* caller) {
  return step ? absl::StrCat(*step) : caller;
}

std::string TableOf(const char* title, uint64_t bytes, const std::vector<MemoryValue>& values) {
  Table table({"offset", "bytes", "first step", "last step", "op", "what"});
  table.AlignRight({0, 1, 2, 3});
  for (const MemoryValue& value : values) {
    table.Add({absl::StrCat(value.offset), absl::StrCat(value.bytes),
               Place(value.first_step, "caller"), Place(value.last_step, "caller"), value.kind,
               value.name});
  }
  return absl::StrCat(title, ": ", bytes, " bytes\n", table.ToString());
}

Json JsonOf(const std::vector<MemoryValue>& values) {
  const auto place = [](const std::optional<size_t>& step) { return step ? Json(*step) : Json(); };
  Json json = Json::array();
  for (const MemoryValue& value : values) {
    json.push_back({{"offset", value.offset},
                    {"bytes", value.bytes},
                    {"first_step", place(value.first_step)},
                    {"last_step", place(value.last_step)},
                    {"kind", value.kind},
                    {"name", value.name}});
  }
  return json;
}

}  // namespace

MemoryMap MapMemory(const Program& program, const ir::Module* module) {
  MemoryMap map{.arena_bytes = program.arena_bytes,
                .weight_bytes = program.weight_bytes,
                .kv_bytes = program.kv_bytes};
  Arena arena(&map.arena);
  Places weights;
  Places cache;
  arena.Write(program.tokens, "tokens", "input", std::nullopt);
  arena.Write(program.positions, "positions", "input", std::nullopt);
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    for (const OperandRef& operand : step.operands) {
      if (operand.space == Space::kWeights) Touch(operand, step, i, &weights);
      if (operand.space == Space::kKvCache) Touch(operand, step, i, &cache);
      if (operand.space == Space::kArena && !operand.written) arena.Read(operand, i);
    }
    for (const OperandRef& operand : step.operands) {
      if (operand.space != Space::kArena || !operand.written) continue;
      const bool result = &operand == &step.operands.back();
      arena.Write(operand, step.name, result ? step.kind : absl::StrCat(step.kind, " workspace"),
                  i);
    }
  }
  arena.Read(program.logits, std::nullopt);
  arena.Read(program.argmax, std::nullopt);
  arena.Finish();
  map.weights = Values(weights);
  map.kv_cache = Values(cache);
  if (module == nullptr) return map;
  const std::map<uint64_t, std::string> names = WeightNames(*module);
  for (MemoryValue& value : map.weights) {
    const auto name = names.find(value.offset);
    if (name != names.end() && !name->second.empty()) value.name = name->second;
  }
  return map;
}

std::string MemoryText(const MemoryMap& map) {
  return absl::StrCat(TableOf("arena", map.arena_bytes, map.arena), "\n",
                      TableOf("weights", map.weight_bytes, map.weights), "\n",
                      TableOf("KV cache", map.kv_bytes, map.kv_cache));
}

Json MemoryJson(const MemoryMap& map) {
  return {{"arena_bytes", map.arena_bytes}, {"weight_bytes", map.weight_bytes},
          {"kv_bytes", map.kv_bytes},       {"arena", JsonOf(map.arena)},
          {"weights", JsonOf(map.weights)}, {"kv_cache", JsonOf(map.kv_cache)}};
}

}  // namespace weft::tools
