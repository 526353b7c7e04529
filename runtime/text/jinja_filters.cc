#include "runtime/text/jinja_filters.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/jinja_sequence_filters.h"
#include "runtime/text/jinja_text_filters.h"

namespace weft::jinja {
namespace {

const FilterEntry* FindFilter(absl::string_view name) {
  for (absl::Span<const FilterEntry> filters : {TextFilters(), SequenceFilters()}) {
    for (const FilterEntry& filter : filters) {
      if (filter.name == name) return &filter;
    }
  }
  return nullptr;
}

}  // namespace

bool HasFilter(absl::string_view name) { return FindFilter(name) != nullptr; }

absl::StatusOr<Value> ApplyFilter(Context& context, absl::string_view name, const Value& input,
                                  const Arguments& arguments) {
  // `map` applies filters, itself among them.
  Context::DepthGuard guard(context);
  WEFT_RETURN_IF_ERROR(guard.Check());
  WEFT_RETURN_IF_ERROR(context.Step());
  const FilterEntry* filter = FindFilter(name);
  if (filter == nullptr) {
    return absl::UnimplementedError(
        absl::StrCat("the filter '", Shown(name), "' is not supported"));
  }
  return filter->apply(context, input, name, arguments);
}

}  // namespace weft::jinja
