// Template source to a syntax tree.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_context.h"

namespace weft::jinja {

// Statements: if, for (with break and continue), set, macro, call, filter, with, generation. Any
// other tag, Jinja's `include` and its like among them, is an error that names the tag and its
// line.
absl::StatusOr<Block> ParseTemplate(absl::string_view source, const Limits& limits);

}  // namespace weft::jinja
