#pragma once

namespace weft {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace weft
