#include "frontends/safetensors_writer.h"

#include <absl/strings/string_view.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "frontends/safetensors.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"

namespace weft {

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(
    const std::string& path, absl::Span<const SafetensorsEntry> entries) {
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const SafetensorsEntry& entry : entries) {
    WEFT_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(entry.type, entry.dims));
    const absl::string_view dtype = SafetensorsDtype(entry.type);
    WEFT_CHECK(!dtype.empty());
    header[entry.name] = {{"dtype", std::string(dtype)},
                          {"shape", entry.dims},
                          {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  // Tensor names of model files may be any bytes; dump() would throw at invalid UTF-8 without a
  // replacement.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  // Spaces up to a multiple of 8, so that readers may map the data as aligned values.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint8_t length[8];
  const uint64_t header_bytes = text.size();
  std::memcpy(length, &header_bytes, sizeof(length));

  WEFT_ASSIGN_OR_RETURN(std::unique_ptr<AtomicFileWriter> file, AtomicFileWriter::Create(path));
  WEFT_RETURN_IF_ERROR(file->Append(absl::MakeConstSpan(length)));
  WEFT_RETURN_IF_ERROR(file->Append(text));
  return std::unique_ptr<SafetensorsWriter>(new SafetensorsWriter(std::move(file), offset));
}

absl::Status SafetensorsWriter::Append(absl::Span<const uint8_t> bytes) {
  WEFT_CHECK(bytes.size() <= missing_);
  missing_ -= bytes.size();
  return file_->Append(bytes);
}

absl::Status SafetensorsWriter::Commit() {
  WEFT_CHECK(missing_ == 0);
  return file_->Commit();
}

absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const SafetensorsTensor> tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const SafetensorsTensor& tensor : tensors) {
    WEFT_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(tensor.type, tensor.dims));
    WEFT_CHECK(bytes == tensor.bytes.size());
    entries.push_back({tensor.name, tensor.type, tensor.dims});
  }
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsWriter> writer,
                        SafetensorsWriter::Create(path, entries));
  for (const SafetensorsTensor& tensor : tensors)
    WEFT_RETURN_IF_ERROR(writer->Append(tensor.bytes));
  return writer->Commit();
}

}  // namespace weft
