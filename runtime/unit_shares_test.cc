#include "runtime/unit_shares.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weft {
namespace {

TEST(UnitSharesTest, PartsAreContiguousAndEqualButForOne) {
  for (const int64_t units : {0, 1, 7, 64, 1000}) {
    for (const int64_t parts : {1, 2, 3, 64}) {
      int64_t next = 0;
      for (int64_t part = 0; part < parts; ++part) {
        const auto [begin, end] = PartOf(units, part, parts);
        EXPECT_EQ(begin, next);
        EXPECT_GE(end - begin, units / parts);
        EXPECT_LE(end - begin, units / parts + 1);
        next = end;
      }
      EXPECT_EQ(next, units);
    }
  }
}

TEST(UnitSharesTest, AWorkerBeginsWithItsOwnAndThenTakesTheOthers) {
  std::vector<UnitShare> shares(3);
  DealShares(9, absl::MakeSpan(shares));
  std::vector<std::pair<int64_t, int64_t>> taken;
  TakeShares(absl::MakeSpan(shares), 1, 2,
             [&](int64_t begin, int64_t end) { taken.emplace_back(begin, end); });
  EXPECT_EQ(taken, (std::vector<std::pair<int64_t, int64_t>>{
                       {3, 5}, {5, 6}, {6, 8}, {8, 9}, {0, 2}, {2, 3}}));
}

TEST(UnitSharesTest, EveryUnitIsTakenOnceWhateverTheNumberOfWorkers) {
  for (const int workers : {1, 2, 4, 8, 64}) {
    for (const int64_t grain : {1, 3, 100}) {
      std::vector<UnitShare> shares(static_cast<size_t>(workers));
      DealShares(100, absl::MakeSpan(shares));
      std::vector<std::atomic<int>> calls(100);
      {
        std::vector<std::jthread> threads;
        for (int worker = 0; worker < workers; ++worker) {
          threads.emplace_back([&, worker] {
            TakeShares(absl::MakeSpan(shares), worker, grain, [&](int64_t begin, int64_t end) {
              for (int64_t unit = begin; unit < end; ++unit) ++calls[static_cast<size_t>(unit)];
            });
          });
        }
      }
      for (size_t unit = 0; unit < calls.size(); ++unit)
        EXPECT_EQ(calls[unit], 1) << unit << " of " << workers << " workers";
    }
  }
}

}  // namespace
}  // namespace weft
