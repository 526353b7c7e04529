// errno as an absl::Status that a user can act on.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

namespace weft {

// "PATH: cannot ACTION: No space left on device (free some space or write to another folder)". The
// code is the one that absl::ErrnoToStatusCode gives.
absl::Status PosixError(int error_number, absl::string_view path, absl::string_view action);

// Whether a call failed because what it names is not there; after any other error it may be.
bool MeansAbsent(int error_number);

}  // namespace weft
