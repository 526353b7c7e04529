// Makes a failing case small.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "tests/graphs/graph_case.h"

namespace weft::graphs {

// Runs a case; an error is a failure, whose message begins with a word for its kind.
using CheckFn = std::function<absl::Status(const GraphCase&)>;

// The kind of a failure: its first word, and where a step or pass fails, which op or pass.
std::string KindOf(const absl::Status& failure);

// Tries simplifications again and again, each kept where the case still fails in the same kind,
// until none helps or `most_checks` were made: fewer variants, tokens and options; values replaced
// by others of their type, and so what only they needed dropped; plain weights for cut, stacked and
// quantised ones; smaller dims.
GraphCase Minimise(const GraphCase& failing, const std::string& kind, const CheckFn& check,
                   int most_checks);

}  // namespace weft::graphs
