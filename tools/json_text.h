// JSON as commands print and write it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace weft::tools {

// Names of tensors, tokens and files may be any bytes: what is no UTF-8 becomes U+FFFD. Without an
// indent all is one line.
std::string JsonText(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace weft::tools
