// Early return from functions that give absl::Status or absl::StatusOr.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

#define WEFT_MACRO_JOIN_INNER(a, b) a##b
#define WEFT_MACRO_JOIN(a, b) WEFT_MACRO_JOIN_INNER(a, b)

// Returns the absl::Status that `expression` gives unless it is OK.
#define WEFT_RETURN_IF_ERROR(expression)                                                \
  do {                                                                                  \
    if (absl::Status weft_status = (expression); !weft_status.ok()) return weft_status; \
  } while (false)

// WEFT_ASSIGN_OR_RETURN(const uint32_t count, reader.ReadU32("count")): returns the error of an
// absl::StatusOr, or moves its value into the declaration or variable on the left (`auto` for a
// type with a comma in it).
#define WEFT_ASSIGN_OR_RETURN(left, expression) \
  WEFT_ASSIGN_OR_RETURN_INNER(WEFT_MACRO_JOIN(weft_status_or_, __LINE__), left, expression)
// `left` may be a declaration, which takes no parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define WEFT_ASSIGN_OR_RETURN_INNER(temporary, left, expression) \
  auto temporary = (expression);                                 \
  if (!temporary.ok()) return temporary.status();                \
  left = *std::move(temporary)
// NOLINTEND(bugprone-macro-parentheses)
