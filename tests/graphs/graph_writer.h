// What random graphs are put together from: weights as files hold them in every way that the IR
// knows, and values to pick among.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/module.h"
#include "tests/graphs/palette.h"
#include "tests/graphs/random.h"

namespace weft::graphs {

class GraphWriter {
 public:
  GraphWriter(const Palette& palette, uint64_t seed, ir::Module* module)
      : palette_(palette), random_(seed), module_(*module), builder_(module) {}

  const Palette& palette() const { return palette_; }
  Random& random() { return random_; }
  const ir::Type& type(ir::NodeId id) const { return module_.node(id).type; }
  int64_t width(ir::NodeId id) const { return type(id).last().value(); }
  // Rows of L, not of T.
  bool selected(ir::NodeId id) const { return type(id).dims[0] == ir::Dim(ir::Symbol::kLogitRows); }

  // Adds a node, and where it has rows of F32 puts it among the values.
  ir::NodeId Add(ir::Op op, std::vector<ir::NodeId> operands, ir::Attrs attrs = {});

  // Of `out` rows by `in` columns: a tensor of its own, part of a larger one, a transposed one,
  // several end to end, or one that is used already.
  ir::NodeId Matrix(int64_t out, int64_t in);
  // Rows [begin, end) of each of a tensor's parts, which cover it.
  std::vector<ir::NodeId> Parts(const std::vector<int64_t>& rows, int64_t in);
  // A whole table of a type that tables have.
  ir::NodeId Table(int64_t rows, int64_t columns);
  // Values around `mean`.
  ir::NodeId Vector(int64_t length, double mean, double deviation);

  // A value with rows like those of `like`, of that width; -1 where there is none.
  ir::NodeId PickValue(int64_t width, bool selected);
  // Any one with such rows, more often a late one.
  ir::NodeId PickAny(bool selected);

 private:
  ir::NodeId Weight(const std::string& tensor, ir::Attrs attrs = {});
  std::string NewTensor(DataType type, std::vector<int64_t> dims, double mean, double deviation);
  DataType MatrixType(int64_t in);
  DataType VectorType();
  double Deviation(int64_t in);

  const Palette& palette_;
  Random random_;
  ir::Module& module_;
  ir::Builder builder_;
  std::vector<ir::NodeId> values_;
  std::map<std::pair<int64_t, int64_t>, std::vector<ir::NodeId>> matrices_;
};

}  // namespace weft::graphs
