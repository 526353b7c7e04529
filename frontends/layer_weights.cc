#include "frontends/layer_weights.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontends/dequantize.h"

namespace weft {
namespace {

std::string FileNames(const TensorFiles& files) {
  if (files.files().empty()) return "the model";
  const std::string& first = files.files().front()->path();
  if (files.files().size() == 1) return first;
  return absl::StrCat(first, " (and ", files.files().size() - 1, " more)");
}

}  // namespace

WeightFinder::WeightFinder(const DecoderConfig& config, const TensorNames& names,
                           const TensorFiles& files, ir::Builder* builder)
    : config_(config), names_(names), files_(files), builder_(*builder) {
  prefix_ = names.prefixes.front();
  for (absl::string_view prefix : names.prefixes) {
    if (files.Find(absl::StrCat(prefix, names.embedding, ".weight")) == nullptr) continue;
    prefix_ = prefix;
    break;
  }
}

WeightFinder::Stem WeightFinder::Global(absl::string_view name) const {
  return {.tensor = absl::StrCat(prefix_, name),
          .location = absl::StrCat(names_.prefixes.front(), name)};
}

WeightFinder::Stem WeightFinder::InLayer(int64_t layer, absl::string_view name) const {
  return Global(absl::StrCat(names_.layer, ".", layer, name.empty() ? "" : ".", name));
}

WeightFinder::Stem WeightFinder::Output() const {
  const std::string location(names_.output.front());
  for (absl::string_view name : names_.output) {
    Stem stem{.tensor = std::string(name), .location = location};
    if (!name.empty() && Has(stem)) return stem;
  }
  return {.tensor = location, .location = location};
}

ir::NodeId WeightFinder::Vector(const Stem& stem, absl::string_view suffix,
                                const ExpectedDim& length, const Part* part) {
  return Weight(stem, suffix, {length}, part, false);
}

ir::NodeId WeightFinder::Matrix(const Stem& stem, const ExpectedDim& out, const ExpectedDim& in,
                                const Part* part, bool transposed) {
  std::vector<ExpectedDim> dims = {out, in};
  if (transposed) std::swap(dims[0], dims[1]);
  return Weight(stem, "weight", dims, part, transposed);
}

ir::NodeId WeightFinder::Weight(const Stem& stem, absl::string_view suffix,
                                const std::vector<ExpectedDim>& dims, const Part* part,
                                bool transposed) {
  const std::string name = absl::StrCat(stem.tensor, ".", suffix);
  const TensorEntry* entry = files_.Find(name);
  if (entry == nullptr) {
    builder_.Fail(absl::InvalidArgumentError(absl::StrCat(FileNames(files_), ": tensor '", name,
                                                          "' is missing; a ", config_.source,
                                                          " like this needs it")));
    return -1;
  }
  std::vector<int64_t> expected;
  for (const ExpectedDim& dim : dims) expected.push_back(dim.value);
  if (entry->dims != expected) {
    const auto origin = [](std::string* out, const ExpectedDim& dim) { out->append(dim.origin); };
    builder_.Fail(absl::InvalidArgumentError(
        absl::StrCat(files_.files()[entry->file]->path(), ": tensor '", name, "' is ",
                     DimsToString(entry->dims), ", expected ", DimsToString(expected), " (",
                     absl::StrJoin(dims, ", ", origin), " in ", config_.source, ")")));
    return -1;
  }
  if (!CanDequantize(entry->type)) {
    builder_.Fail(absl::InvalidArgumentError(
        absl::StrCat(files_.files()[entry->file]->path(), ": tensor '", name, "' holds ",
                     Name(entry->type), ", expected floats or a quantised type")));
    return -1;
  }
  if (part != nullptr && dims.size() == 1 && GetInfo(entry->type).block_values != 1) {
    builder_.Fail(absl::InvalidArgumentError(
        absl::StrCat(files_.files()[entry->file]->path(), ": tensor '", name, "' is a vector of ",
                     Name(entry->type), ", of which a part is needed; expected floats")));
    return -1;
  }
  ir::Module& module = builder_.module();
  if (module.FindTensor(name) == nullptr) {
    module.AddTensor({.name = name,
                      .dtype = entry->type,
                      .dims = entry->dims,
                      .file = entry->file,
                      .offset = entry->offset,
                      .bytes = entry->bytes});
  }
  ir::Attrs attrs;
  attrs.reserve(3);
  attrs.emplace_back(ir::Attr::kTensor, name);
  if (part != nullptr) attrs.emplace_back(ir::Attr::kRows, std::vector{part->begin, part->end});
  if (transposed) attrs.emplace_back(ir::Attr::kTransposed, true);
  return builder_.Add(ir::Op::kWeight, {}, std::move(attrs),
                      absl::StrCat(stem.location, part == nullptr ? "" : ".",
                                   part == nullptr ? "" : part->name, ".", suffix));
}

}  // namespace weft
