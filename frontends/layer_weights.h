// Finds the tensors of a decoder in its files and makes weight nodes of them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "frontends/decoder_config.h"
#include "frontends/families/tensor_names.h"
#include "frontends/tensor_file.h"
#include "ir/builder.h"

namespace weft {

// A dim as the config gives it; `origin` names the fields for messages: "hidden_size = 96".
struct ExpectedDim {
  int64_t value = 0;
  std::string origin;
};

class WeightFinder {
 public:
  // All must outlive this. The first prefix of `names` with an embedding in the files is taken.
  WeightFinder(const DecoderConfig& config, const TensorNames& names, const TensorFiles& files,
               ir::Builder* builder);

  const TensorNames& names() const { return names_; }

  // A name outside of the layers, or in layer `layer`: as the file has it, and as locations do.
  struct Stem {
    std::string tensor;
    std::string location;
  };
  Stem Global(absl::string_view name) const;
  Stem InLayer(int64_t layer, absl::string_view name) const;
  // The output matrix's, which has its own prefixes.
  Stem Output() const;

  bool Has(const Stem& stem) const { return files_.Find(stem.tensor + ".weight") != nullptr; }

  // A part of a tensor that the file stores fused: rows [begin, end), named in the location.
  struct Part {
    absl::string_view name;
    int64_t begin = 0;
    int64_t end = 0;
  };

  // Weight nodes of "<stem>.weight" and "<stem>.bias". A tensor that is missing or not of these
  // dims fails the builder, with a message that names tensor and file. With `part`, dims are the
  // whole tensor's; with `transposed`, the file has them the other way round.
  ir::NodeId Vector(const Stem& stem, absl::string_view suffix, const ExpectedDim& length,
                    const Part* part = nullptr);
  ir::NodeId Matrix(const Stem& stem, const ExpectedDim& out, const ExpectedDim& in,
                    const Part* part = nullptr, bool transposed = false);

 private:
  ir::NodeId Weight(const Stem& stem, absl::string_view suffix,
                    const std::vector<ExpectedDim>& dims, const Part* part, bool transposed);

  const DecoderConfig& config_;
  const TensorNames& names_;
  const TensorFiles& files_;
  ir::Builder& builder_;
  absl::string_view prefix_;
};

}  // namespace weft
