#include "tests/graphs/graph_writer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/graphs/random_weights.h"

namespace weft::graphs {

using ir::Attr;
using ir::NodeId;
using ir::Op;

NodeId GraphWriter::Add(Op op, std::vector<NodeId> operands, ir::Attrs attrs) {
  const NodeId id = builder_.Add(op, std::move(operands), std::move(attrs),
                                 absl::StrCat("n", module_.id_bound()));
  // Graphs are legal by construction: an error here is a mistake of the generator.
  WEFT_CHECK(builder_.status().ok());
  const ir::Type& result = type(id);
  if (result.dtype == DataType::kF32 && result.rank() == 2 && result.dims[0].is_symbol())
    values_.push_back(id);
  return id;
}

NodeId GraphWriter::Weight(const std::string& tensor, ir::Attrs attrs) {
  attrs.emplace_back(Attr::kTensor, tensor);
  return Add(Op::kWeight, {}, std::move(attrs));
}

std::string GraphWriter::NewTensor(DataType dtype, std::vector<int64_t> dims, double mean,
                                   double deviation) {
  std::string name = absl::StrCat("w", module_.tensors.size());
  if (mean != 0) absl::StrAppend(&name, "~", mean);
  absl::StrAppend(&name, "~", deviation);
  const auto bytes = ir::TensorBytes(dtype, dims);
  WEFT_CHECK(bytes.ok());
  module_.AddTensor({.name = name, .dtype = dtype, .dims = std::move(dims), .bytes = *bytes});
  return name;
}

// Types of which a row is a whole number of blocks.
DataType GraphWriter::MatrixType(int64_t in) {
  if (random_.OneIn(2)) return random_.Pick({DataType::kF32, DataType::kF16, DataType::kBF16});
  while (true) {
    const DataType type = random_.Pick(WeightTypes());
    if (in % GetInfo(type).block_values == 0) return type;
  }
}

DataType GraphWriter::VectorType() {
  return random_.Pick({DataType::kF32, DataType::kF32, DataType::kF16, DataType::kBF16});
}

// Results as large as the inputs, or a few times smaller or larger; some so small that F16 scales
// are below its normal numbers, or 0.
double GraphWriter::Deviation(int64_t in) {
  const double size = random_.OneIn(40) ? random_.Pick({1e-9, 1e-6, 1e-4})
                                        : random_.Pick({0.3, 1.0, 1.0, 1.0, 2.0});
  return size / std::sqrt(static_cast<double>(in));
}

NodeId GraphWriter::Matrix(int64_t out, int64_t in) {
  std::vector<NodeId>& known = matrices_[{out, in}];
  if (!known.empty() && random_.OneIn(4)) {
    const NodeId old = random_.Pick(known);
    if (module_.node(old).op != Op::kWeight || random_.OneIn(2)) return old;
    // A node of its own for what another holds.
    const ir::Node copy = module_.node(old);
    return Add(Op::kWeight, {}, copy.attrs);
  }
  NodeId id = -1;
  const double deviation = Deviation(in);
  switch (random_.Below(8)) {
    case 0: {
      const DataType type = random_.Pick({DataType::kF32, DataType::kF16, DataType::kBF16});
      id = Weight(NewTensor(type, {in, out}, 0, deviation), {{Attr::kTransposed, true}});
      break;
    }
    case 1: {
      const int64_t before = random_.Below(20);
      const std::string tensor =
          NewTensor(MatrixType(in), {before + out + random_.Below(20), in}, 0, deviation);
      id = Weight(tensor, {{Attr::kRows, std::vector<int64_t>{before, before + out}}});
      break;
    }
    case 2:
      if (out > 1) {
        const int64_t first = random_.OneIn(2) ? out / 2 : 1;
        const DataType type = MatrixType(in);
        const NodeId one = Weight(NewTensor(type, {first, in}, 0, deviation));
        const NodeId two = Weight(NewTensor(type, {out - first, in}, 0, deviation));
        return Add(Op::kConcat, {one, two});
      }
      [[fallthrough]];
    default:
      id = Weight(NewTensor(MatrixType(in), {out, in}, 0, deviation));
  }
  matrices_[{out, in}].push_back(id);
  return id;
}

std::vector<NodeId> GraphWriter::Parts(const std::vector<int64_t>& rows, int64_t in) {
  int64_t total = 0;
  for (const int64_t count : rows) total += count;
  const bool transposed = random_.OneIn(3);
  const double deviation = Deviation(in);
  const std::string tensor = transposed ? NewTensor(random_.Pick({DataType::kF32, DataType::kF16}),
                                                    {in, total}, 0, deviation)
                                        : NewTensor(MatrixType(in), {total, in}, 0, deviation);
  std::vector<NodeId> parts;
  int64_t begin = 0;
  for (const int64_t count : rows) {
    ir::Attrs attrs = {{Attr::kRows, std::vector<int64_t>{begin, begin + count}}};
    if (transposed) attrs.emplace_back(Attr::kTransposed, true);
    parts.push_back(Weight(tensor, std::move(attrs)));
    begin += count;
  }
  return parts;
}

NodeId GraphWriter::Table(int64_t rows, int64_t columns) {
  const NodeId id = Weight(NewTensor(MatrixType(columns), {rows, columns}, 0, 1));
  matrices_[{rows, columns}].push_back(id);
  return id;
}

NodeId GraphWriter::Vector(int64_t length, double mean, double deviation) {
  const DataType type = VectorType();
  switch (random_.Below(6)) {
    case 0: {
      const int64_t begin = random_.Below(20);
      const std::string tensor =
          NewTensor(type, {begin + length + random_.Below(5)}, mean, deviation);
      return Weight(tensor, {{Attr::kRows, std::vector<int64_t>{begin, begin + length}}});
    }
    case 1:
      if (length > 1) {
        const int64_t first = random_.Between(1, length - 1);
        const NodeId one = Weight(NewTensor(type, {first}, mean, deviation));
        const NodeId two = Weight(NewTensor(type, {length - first}, mean, deviation));
        return Add(Op::kConcat, {one, two});
      }
      [[fallthrough]];
    default:
      return Weight(NewTensor(type, {length}, mean, deviation));
  }
}

NodeId GraphWriter::PickValue(int64_t wanted, bool of_selected) {
  std::vector<NodeId> fit;
  for (const NodeId id : values_) {
    if (width(id) == wanted && selected(id) == of_selected) fit.push_back(id);
  }
  return fit.empty() ? -1 : random_.Pick(fit);
}

NodeId GraphWriter::PickAny(bool of_selected) {
  std::vector<NodeId> fit;
  for (const NodeId id : values_) {
    if (selected(id) == of_selected) fit.push_back(id);
  }
  WEFT_CHECK(!fit.empty());
  const auto late = static_cast<int64_t>(std::min<size_t>(fit.size(), 3));
  if (random_.OneIn(2)) return fit[fit.size() - 1 - static_cast<size_t>(random_.Below(late))];
  return random_.Pick(fit);
}

}  // namespace weft::graphs
