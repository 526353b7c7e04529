// report/page.html.
#pragma once

namespace weft::tools {

// "@WEFT_REPORT_DATA@" in it stands for the data, as JSON.
extern const char kReportPage[];

}  // namespace weft::tools
