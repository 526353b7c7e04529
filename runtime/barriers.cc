#include "runtime/barriers.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/byte_ranges.h"

namespace weft {
namespace {

ByteRange RangeOf(const OperandRef& operand) {
  return {operand.offset, operand.offset + operand.bytes};
}

// What some steps touched.
class Touched {
 public:
  void Add(const Step& step) {
    for (const OperandRef& operand : step.operands) {
      Ranges& ranges = spaces_[static_cast<size_t>(operand.space)];
      (operand.written ? ranges.written : ranges.read).Add(RangeOf(operand));
    }
  }

  // Whether the step must come after them.
  bool Conflicts(const Step& step) const {
    return std::any_of(
        step.operands.begin(), step.operands.end(), [this](const OperandRef& operand) {
          const Ranges& ranges = spaces_[static_cast<size_t>(operand.space)];
          const ByteRange range = RangeOf(operand);
          return ranges.written.Overlaps(range) || (operand.written && ranges.read.Overlaps(range));
        });
  }

  void Clear() { spaces_ = {}; }

 private:
  struct Ranges {
    ByteRanges read;
    ByteRanges written;
  };
  std::array<Ranges, 3> spaces_;  // by Space
};

// Whether row r of one operand shares bytes with row r alone of the other, whose bytes overlap.
bool MeetsOnlyInRows(const OperandRef& a, const OperandRef& b) {
  if (a.stride == 0 || a.stride != b.stride) return false;
  const OperandRef& low = a.offset <= b.offset ? a : b;
  const OperandRef& high = a.offset <= b.offset ? b : a;
  // Then no row of `high` reaches the next row of `low`; the other way round, rows of `low` are no
  // longer than the stride anyway.
  return high.offset - low.offset + RowWidth(high) <= a.stride;
}

// Whether two steps over the same rows need no order but that within each row.
bool AgreeByRows(const Step& a, const Step& b) {
  for (const OperandRef& x : a.operands) {
    for (const OperandRef& y : b.operands) {
      const bool overlap =
          x.space == y.space &&
          std::max(x.offset, y.offset) < std::min(x.offset + x.bytes, y.offset + y.bytes);
      if (overlap && (x.written || y.written) && !MeetsOnlyInRows(x, y)) return false;
    }
  }
  return true;
}

// Models have some ten that follow each other; each is compared with all before it.
constexpr size_t kMostJoined = 64;

class Grouping {
 public:
  Grouping(const Program& program, bool one_row) : steps_(program.steps), one_row_(one_row) {}

  std::vector<StepGroup> Derive() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const bool by_rows = WorksByRows(steps_[i]);
      if (one_row_ && by_rows) {
        AddSerial(i);
      } else if (!by_rows || !Join(i)) {
        Start(i, by_rows ? StepGroup::Kind::kRows : StepGroup::Kind::kShared);
      }
    }
    return std::move(groups_);
  }

 private:
  void AddSerial(size_t step) {
    if (!groups_.empty() && groups_.back().kind == StepGroup::Kind::kSerial) {
      ++groups_.back().end;
      return;
    }
    groups_.push_back({step, step + 1, StepGroup::Kind::kSerial, /*barrier=*/true});
    before_.Clear();
    group_.clear();
  }

  // Makes the step the last one of the present group; false where it cannot be.
  bool Join(size_t step) {
    if (groups_.empty() || groups_.back().kind != StepGroup::Kind::kRows) return false;
    StepGroup& group = groups_.back();
    const Step& joining = steps_[step];
    if (steps_[group.begin].extent != joining.extent) return false;
    if (group.end - group.begin >= kMostJoined) return false;
    for (size_t i = group.begin; i < group.end; ++i) {
      if (!AgreeByRows(steps_[i], joining)) return false;
    }
    if (before_.Conflicts(joining)) {  // one barrier serves the whole group
      group.barrier = true;
      before_.Clear();
    }
    ++group.end;
    group_.push_back(step);
    return true;
  }

  void Start(size_t step, StepGroup::Kind kind) {
    for (size_t i : group_) before_.Add(steps_[i]);
    group_.clear();
    const bool barrier = before_.Conflicts(steps_[step]);
    if (barrier) before_.Clear();
    groups_.push_back({step, step + 1, kind, barrier});
    group_.push_back(step);
  }

  const std::vector<Step>& steps_;
  const bool one_row_;
  std::vector<StepGroup> groups_;
  Touched before_;             // by the groups since the last barrier, but for the present one
  std::vector<size_t> group_;  // steps of the present one
};

}  // namespace

std::vector<StepGroup> DeriveGroups(const Program& program, bool one_row) {
  return Grouping(program, one_row).Derive();
}

int64_t CountBarriers(const std::vector<StepGroup>& groups) {
  return std::count_if(groups.begin(), groups.end(),
                       [](const StepGroup& group) { return group.barrier; });
}

}  // namespace weft
