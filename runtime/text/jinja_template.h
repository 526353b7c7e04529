// Jinja templates as transformers renders them: Jinja 3.1 in an immutable sandbox with trim_blocks,
// lstrip_blocks, loop controls, and the `tojson`, `raise_exception`, `strftime_now` and
// `generation` that transformers adds (utils/chat_template_utils.py). What is not supported gives
// an error that names it: includes and inheritance, recursive loops, rare filters and string
// methods.
//
// Templates come from strangers: parsing and rendering stay within Limits, whatever the template
// says.
#pragma once

#include <ctime>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/text/jinja_ast.h"
#include "runtime/text/jinja_context.h"

namespace weft::jinja {

class Template {
 public:
  // Errors are InvalidArgument, with the line.
  static absl::StatusOr<Template> Parse(absl::string_view source, const Limits& limits = {});

  // `variables` is a JSON object; `now` is local time, for strftime_now. InvalidArgument for what
  // the template does wrong (with the line) or raises (its message unchanged), Unimplemented for
  // what is not supported, ResourceExhausted for what goes beyond the limits.
  absl::StatusOr<std::string> Render(const nlohmann::ordered_json& variables,
                                     const std::tm& now) const;

 private:
  Template(Block block, const Limits& limits) : block_(std::move(block)), limits_(limits) {}

  Block block_;
  Limits limits_;
};

}  // namespace weft::jinja
