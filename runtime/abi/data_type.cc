#include "runtime/abi/data_type.h"

#include <iterator>

#include "runtime/abi/check.h"

namespace weft {
namespace {

constexpr DataTypeInfo kTypes[] = {
#define WEFT_ROW(id, name, ggml, values, bytes) {DataType::id, name, ggml, values, bytes},
    WEFT_DATA_TYPES(WEFT_ROW)
#undef WEFT_ROW
};

}  // namespace

const DataTypeInfo& GetInfo(DataType type) {
  const auto index = static_cast<size_t>(type);
  WEFT_CHECK(index < std::size(kTypes));
  return kTypes[index];
}

std::optional<DataType> ParseDataType(absl::string_view name) {
  for (const DataTypeInfo& info : kTypes) {
    if (info.name == name) return info.type;
  }
  return std::nullopt;
}

std::optional<DataType> DataTypeFromGgml(uint32_t ggml_type) {
  for (const DataTypeInfo& info : kTypes) {
    if (info.ggml_type >= 0 && static_cast<uint32_t>(info.ggml_type) == ggml_type) return info.type;
  }
  return std::nullopt;
}

}  // namespace weft
