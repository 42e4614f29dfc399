#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace pt {
namespace {

struct Row {
  DataType type;
  const char* name;
  const char* config_name;
  size_t size;
};

class DataTypeTest : public ::testing::TestWithParam<Row> {};

TEST_P(DataTypeTest, HasNameConfigNameAndSize) {
  const Row& row = GetParam();
  EXPECT_EQ(DataTypeName(row.type), row.name);
  EXPECT_EQ(ParseDataType(row.name), row.type);
  EXPECT_EQ(DataTypeConfigName(row.type), row.config_name);
  EXPECT_EQ(DataTypeSize(row.type), row.size);
}

INSTANTIATE_TEST_SUITE_P(All, DataTypeTest,
                         ::testing::Values(Row{DataType::kBool, "BOOL", "TYPE_BOOL", 1},
                                           Row{DataType::kUint8, "UINT8", "TYPE_UINT8", 1},
                                           Row{DataType::kUint16, "UINT16", "TYPE_UINT16", 2},
                                           Row{DataType::kUint32, "UINT32", "TYPE_UINT32", 4},
                                           Row{DataType::kUint64, "UINT64", "TYPE_UINT64", 8},
                                           Row{DataType::kInt8, "INT8", "TYPE_INT8", 1},
                                           Row{DataType::kInt16, "INT16", "TYPE_INT16", 2},
                                           Row{DataType::kInt32, "INT32", "TYPE_INT32", 4},
                                           Row{DataType::kInt64, "INT64", "TYPE_INT64", 8},
                                           Row{DataType::kFp16, "FP16", "TYPE_FP16", 2},
                                           Row{DataType::kFp32, "FP32", "TYPE_FP32", 4},
                                           Row{DataType::kFp64, "FP64", "TYPE_FP64", 8},
                                           Row{DataType::kBytes, "BYTES", "TYPE_STRING", 0},
                                           Row{DataType::kBf16, "BF16", "TYPE_BF16", 2}));

TEST(DataTypeNameTest, UnknownNamesAreInvalid) {
  for (const char* name : {"", "fp32", "STRING", "FP", "FP321", "<invalid>"}) {
    EXPECT_EQ(ParseDataType(name), DataType::kInvalid) << name;
  }
  EXPECT_EQ(DataTypeName(DataType::kInvalid), "<invalid>");
  EXPECT_EQ(DataTypeName(static_cast<DataType>(200)), "<invalid>");
}

}  // namespace
}  // namespace pt
