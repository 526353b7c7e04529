// What two plans decided differently.
#pragma once

#include <nlohmann/json.hpp>

#include "runtime/plan/plan.h"

namespace weft::tools {

// {"fields": {name: [a, b], …}, "weights": {name: ["q8_0 (why)", "f32 (why)"], …},
//  "steps": {kernel: [how many steps of a, of b], …}}: only what differs; all empty for equal
//  plans.
// Fields are those of the metadata, and sizes in bytes. A weight or kernel that one plan lacks is
// null or 0 there.
nlohmann::ordered_json DiffPlans(const Plan& a, const Plan& b);

// The same for people, a line each; "no difference" where there is none.
std::string DiffText(const nlohmann::ordered_json& diff);

}  // namespace weft::tools
