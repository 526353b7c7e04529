// For tests: the weights of a module from memory.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ir/weight_reader.h"

namespace weft::ir {

// Values by tensor name, as Read gives them. Raw has nothing to give.
class MapWeightReader : public WeightReader {
 public:
  explicit MapWeightReader(std::map<std::string, std::vector<float>> values)
      : values_(std::move(values)) {}

  absl::Status Read(const SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override {
    const auto found = values_.find(tensor.name);
    if (found == values_.end() || begin < 0 ||
        static_cast<size_t>(begin) + out.size() > found->second.size()) {
      return absl::DataLossError(absl::StrCat("tensor '", tensor.name, "' has no such values"));
    }
    std::copy_n(found->second.begin() + begin, out.size(), out.begin());
    return absl::OkStatus();
  }

  absl::StatusOr<absl::Span<const uint8_t>> Raw(const SourceTensor& tensor) const override {
    return absl::UnimplementedError(absl::StrCat("no bytes of '", tensor.name, "'"));
  }

  void Release(const SourceTensor& tensor) const override { static_cast<void>(tensor); }

 private:
  std::map<std::string, std::vector<float>> values_;
};

}  // namespace weft::ir
