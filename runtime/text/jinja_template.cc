#include "runtime/text/jinja_template.h"

#include <utility>

#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_interpreter.h"
#include "runtime/text/jinja_json.h"
#include "runtime/text/jinja_parser.h"

namespace weft::jinja {

absl::StatusOr<Template> Template::Parse(absl::string_view source, const Limits& limits) {
  WEFT_ASSIGN_OR_RETURN(Block block, ParseTemplate(source, limits));
  return Template(std::move(block), limits);
}

absl::StatusOr<std::string> Template::Render(const nlohmann::ordered_json& variables,
                                             const std::tm& now) const {
  if (!variables.is_object()) {
    return absl::InvalidArgumentError("the variables of a template are not a JSON object");
  }
  Context context(limits_, now);
  WEFT_ASSIGN_OR_RETURN(const Value globals, FromJson(context, variables));
  return Interpreter(context).Run(block_, globals);
}

}  // namespace weft::jinja
