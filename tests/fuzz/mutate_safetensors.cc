#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/mutate.h"

namespace weft::fuzz {
namespace {

using Json = nlohmann::ordered_json;

// Sizes of the format's types; others count as 1.
uint64_t BytesOf(const Json& dtype) {
  for (const auto& [name, bytes] : {std::pair("F64", 8),
                                    {"I64", 8},
                                    {"F32", 4},
                                    {"I32", 4},
                                    {"F16", 2},
                                    {"BF16", 2},
                                    {"I16", 2}})
    if (dtype == name) return bytes;
  return 1;
}

// Gives every tensor the range that it needs, one behind the other; returns where the last ends.
uint64_t LayOut(Json& header) {
  uint64_t end = 0;
  for (auto& [name, tensor] : header.items()) {
    if (name == "__metadata__" || !tensor.is_object()) continue;
    if (!tensor.contains("shape") || !tensor["shape"].is_array()) continue;
    uint64_t bytes = tensor.contains("dtype") ? BytesOf(tensor["dtype"]) : 1;
    for (const Json& dim : tensor["shape"])
      if (dim.is_number_unsigned()) bytes *= dim.get<uint64_t>();
    tensor["data_offsets"] = {end, end + bytes};
    end += bytes;
  }
  return end;
}

}  // namespace

std::string MutateSafetensors(absl::string_view file, size_t room, Random& random) {
  uint64_t length = 0;
  if (file.size() < sizeof length) return "";
  std::memcpy(&length, file.data(), sizeof length);
  if (length > file.size() - sizeof length) return "";
  std::string header = MutateJson(file.substr(sizeof length, length), room, random);
  if (header.empty()) return "";
  std::string data(file.substr(sizeof length + length));
  if (random() % 2 == 0) {
    Json json = Json::parse(header, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      const uint64_t end = LayOut(json);
      if (end <= data.size() + room) data.resize(end);
      header = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
  }
  length = random() % 16 == 0 ? MutateInteger(header.size(), random) : header.size();
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return absl::StrCat(result, header, data);
}

}  // namespace weft::fuzz
