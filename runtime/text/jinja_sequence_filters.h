// Filters on lists and dicts.
#pragma once

#include "absl/types/span.h"
#include "runtime/text/jinja_filters.h"

namespace weft::jinja {

absl::Span<const FilterEntry> SequenceFilters();

}  // namespace weft::jinja
