#include "ir/op.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace weft::ir {
namespace {

TEST(OpTest, IndexesTheTableByTheEnum) {
  int index = 0;
  for (const OpInfo& info : AllOps()) {
    EXPECT_EQ(static_cast<int>(info.op), index++);
    EXPECT_EQ(&GetInfo(info.op), &info);
    EXPECT_EQ(ParseOp(info.name), info.op);
    EXPECT_EQ(Name(info.op), info.name);
  }
  index = 0;
  for (const AttrInfo& info : AllAttrs()) {
    EXPECT_EQ(static_cast<int>(info.attr), index++);
    EXPECT_EQ(&GetInfo(info.attr), &info);
    EXPECT_EQ(ParseAttr(info.name), info.attr);
    EXPECT_EQ(Name(info.attr), info.name);
  }
}

TEST(OpTest, NamesAreWordsThatDiffer) {
  std::set<std::string> names;
  for (const OpInfo& info : AllOps()) {
    EXPECT_TRUE(names.emplace(info.name).second) << info.name;
    EXPECT_EQ(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789"),
              absl::string_view::npos)
        << info.name;
    EXPECT_FALSE(info.doc.empty());
  }
  names.clear();
  for (const AttrInfo& info : AllAttrs()) {
    EXPECT_TRUE(names.emplace(info.name).second) << info.name;
    EXPECT_FALSE(info.doc.empty());
  }
}

TEST(OpTest, RowsOfTheTableAreConsistent) {
  std::set<Attr> used;
  for (const OpInfo& info : AllOps()) {
    EXPECT_GE(info.min_operands, 0);
    EXPECT_TRUE(info.max_operands < 0 || info.max_operands >= info.min_operands) << info.name;
    std::set<Attr> own;
    for (const auto& list : {info.required, info.optional}) {
      for (Attr attr : list) {
        EXPECT_TRUE(own.insert(attr).second) << info.name << " lists " << Name(attr) << " twice";
        EXPECT_FALSE(IsScheduleAttr(attr)) << info.name;
        EXPECT_TRUE(Accepts(info.op, attr));
      }
    }
    used.insert(own.begin(), own.end());
  }
  for (const AttrInfo& info : AllAttrs()) {
    EXPECT_TRUE(used.contains(info.attr) || IsScheduleAttr(info.attr)) << "no op has " << info.name;
  }
}

TEST(OpTest, AcceptsWhatTheTableListsAndTheSchedule) {
  EXPECT_TRUE(Accepts(Op::kAttention, Attr::kScale));
  EXPECT_TRUE(Accepts(Op::kAttention, Attr::kWindow));
  EXPECT_FALSE(Accepts(Op::kAttention, Attr::kEps));
  EXPECT_FALSE(Accepts(Op::kAdd, Attr::kHeads));
  EXPECT_TRUE(Accepts(Op::kAdd, Attr::kPartition));
  EXPECT_TRUE(Accepts(Op::kInput, Attr::kView));
  EXPECT_FALSE(IsScheduleAttr(Attr::kSoftcap));
}

TEST(OpTest, UnknownNamesAreNoOps) {
  EXPECT_EQ(ParseOp("kMatmul"), std::nullopt);
  EXPECT_EQ(ParseOp(""), std::nullopt);
  EXPECT_EQ(ParseAttr("Scale"), std::nullopt);
}

TEST(OpTest, AttrKindsHaveNames) {
  EXPECT_EQ(Name(AttrKind::kBool), "bool");
  EXPECT_EQ(Name(AttrKind::kInt), "int");
  EXPECT_EQ(Name(AttrKind::kFloat), "float");
  EXPECT_EQ(Name(AttrKind::kString), "string");
  EXPECT_EQ(Name(AttrKind::kInts), "list of ints");
  EXPECT_EQ(Name(AttrKind::kFloats), "list of floats");
  EXPECT_EQ(Name(AttrKind::kStrings), "list of strings");
}

}  // namespace
}  // namespace weft::ir
