// GGUF versions 2 and 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
#pragma once

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

#include "frontends/gguf_metadata.h"
#include "frontends/tensor_file.h"

namespace weft {

struct GgufHeader {
  uint32_t version = 0;
  GgufMetadata metadata;
  // In the file's order. Dims outermost first, so the reverse of the order in the file; offsets
  // absolute; file 0. Empty for vocabulary-only files.
  std::vector<TensorEntry> tensors;
};

// Reads everything but the tensors' data; views in the metadata point into `file_bytes`. `name`
// opens the messages. Checked: magic, version, byte order; counts against the bytes that remain
// before anything is allocated; key, type, length and nesting of every value; general.alignment;
// name, type, dims, offset and size of every tensor against its block format and the file; no key
// or tensor twice; that tensors follow each other without overlap or hole. Parts of split models
// are refused.
absl::StatusOr<GgufHeader> ParseGguf(absl::Span<const uint8_t> file_bytes, const std::string& name);

struct GgufFile {
  uint32_t version = 0;
  GgufMetadata metadata;  // views into tensors.files()[0]
  TensorFiles tensors;
};

// Maps and parses the file.
absl::StatusOr<GgufFile> OpenGguf(const std::string& path);

}  // namespace weft
