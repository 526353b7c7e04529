// Memory that cannot be had.
#pragma once

namespace weft::tools {

// From then on memory that cannot be had ends the process with exit code 1 and a message, whichever
// thread asks and whether it is for us or for LLVM, whose code no exception may pass through. Files
// being written leave nothing, as after a kill.
void EndProcessWhereMemoryEnds();

}  // namespace weft::tools
