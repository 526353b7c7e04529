#include "tools/layer_names.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace weft::tools {
namespace {

bool IsNumber(const std::string& part) {
  for (const char c : part) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return !part.empty();
}

}  // namespace

std::string WithoutLayer(const std::string& location) {
  std::vector<std::string> parts = absl::StrSplit(location, '.');
  for (std::string& part : parts) {
    if (IsNumber(part)) part = "*";
  }
  return absl::StrJoin(parts, ".");
}

std::string WithinLayer(const std::string& location) {
  const std::vector<std::string> parts = absl::StrSplit(location, '.');
  const auto layer = std::ranges::find_if(parts, IsNumber);
  return layer == parts.end() ? location : absl::StrJoin(layer + 1, parts.end(), ".");
}

int64_t LayerOf(const std::string& location) {
  const std::vector<std::string> parts = absl::StrSplit(location, '.');
  for (const std::string& part : parts) {
    int64_t layer = -1;
    if (IsNumber(part) && absl::SimpleAtoi(part, &layer)) return layer;
  }
  return -1;
}

}  // namespace weft::tools
