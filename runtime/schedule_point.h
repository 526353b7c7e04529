// Places between two steps of an agreement among threads: a test makes threads linger there, so
// that orders of events come about that are rare otherwise.
#pragma once

namespace weft {

#ifdef WEFT_SCHEDULE_POINTS
void SchedulePoint();  // the test's (schedule_test.cc)
#else
inline void SchedulePoint() {}
#endif

}  // namespace weft
