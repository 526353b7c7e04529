// Which files show by their times that they were changed.
#pragma once

#include <cstdint>

namespace weft::tools {

// Whether a change of a file's bytes always shows in its ctime, on the file system that holds it.
bool CtimeTellsChanges(int fd);
// The same of a file system's type, statfs::f_type.
bool CtimeTellsChanges(uint64_t file_system);

}  // namespace weft::tools
