#pragma once

namespace weft::tools {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace weft::tools
