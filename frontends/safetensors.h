// safetensors: a JSON header that names tensors, then their bytes
// (https://huggingface.co/docs/safetensors, "Format"):
//   u64 header length, header, data; header {"NAME": {"dtype": "F32", "shape": [2, 3],
//   "data_offsets": [BEGIN, END]}, …,
//   "__metadata__": {"key": "value", …}}, offsets from the start of the data, little-endian values,
//   rows outermost first.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

#include "frontends/tensor_file.h"

namespace weft {

// The format's own limit (safetensors 0.4 and later).
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// The tensors of one file in the order of their data; `name` opens the messages, `file_index` goes
// into TensorEntry::file. Checked: header length, first byte and JSON, each dtype (F64, F32, F16,
// BF16, I64, I32, I16, I8, U8, and BOOL as u8), shape × size equal to the range, ranges that cover
// the data without holes or overlaps, no name or field twice.
absl::StatusOr<std::vector<TensorEntry>> ParseSafetensorsHeader(
    absl::Span<const uint8_t> file_bytes, const std::string& name, int file_index);

// Maps the weights of a Hugging Face model folder: model.safetensors; or the shards that
// model.safetensors.index.json names (each must be there, and hold the tensors that the index
// says); or the folder's only *.safetensors file.
absl::StatusOr<TensorFiles> OpenSafetensorsFolder(const std::string& folder);

// The paths of the files that it would map, in its order.
absl::StatusOr<std::vector<std::string>> FindSafetensors(const std::string& folder);

// "BF16"; empty for a type that the format does not have.
absl::string_view SafetensorsDtype(DataType type);

}  // namespace weft
