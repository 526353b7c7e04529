// Filters on text, numbers and single values.
#pragma once

#include "absl/types/span.h"
#include "runtime/text/jinja_filters.h"

namespace weft::jinja {

absl::Span<const FilterEntry> TextFilters();

}  // namespace weft::jinja
