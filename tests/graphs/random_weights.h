// Values for the tensors of a random graph, in the bytes of any element type that files hold.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "ir/weight_reader.h"

namespace weft::graphs {

// The types that RandomWeights can make.
const std::vector<DataType>& WeightTypes();

// Values are normally distributed. They depend on the seed and on the tensor's name, type and dims.
// The end of the name says how: "w3~0.25" has mean 0 and deviation 0.25, "w3~1~0.25" mean 1.
// So the text of a module and a seed are all that it takes to run it again.
class RandomWeights final : public ir::WeightReader {
 public:
  RandomWeights(const ir::Module& module, uint64_t seed);

  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override;
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& tensor) const override;
  void Release(const ir::SourceTensor& /*tensor*/) const override {}

 private:
  std::map<std::string, std::vector<uint8_t>> bytes_;
};

}  // namespace weft::graphs
