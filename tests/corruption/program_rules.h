// The rules of a plan's program a second time, from docs/plan-format.md ("Program") and apart from
// runtime/plan's reader.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

namespace weft::corruption {

// Whether the numbers of a program with the page's fields, each of its type, are what the page
// allows beside a weights section of `weight_section_bytes`.
bool HasProgramNumbers(const nlohmann::ordered_json& program, uint64_t weight_section_bytes);

}  // namespace weft::corruption
