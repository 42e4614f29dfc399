#include "api/classification.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tensor/bytes_tensor.h"

namespace pt::api {
namespace {

// More results would be a way to ask for gigabytes of text.
constexpr int64_t kMaxResults = 1'000'000;

struct Layout {
  int64_t items = 1;   // of the batch
  int64_t values = 0;  // of one item
  int64_t best = 0;    // results for one item
};

template <typename T>
T ValueAt(const char* data, int64_t index) {
  T value;
  std::memcpy(&value, data + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

// NaN compares with nothing; an order must place it, so it is below everything.
template <typename T>
bool IsGreater(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a > b;
}

template <typename T>
void AppendItem(const char* data, const Layout& layout, const std::vector<std::string>& labels,
                std::string* out) {
  std::vector<int64_t> order(static_cast<size_t>(layout.values));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::partial_sort(order.begin(), order.begin() + layout.best, order.end(),
                    [&](int64_t a, int64_t b) {
                      const T x = ValueAt<T>(data, a);
                      const T y = ValueAt<T>(data, b);
                      if (IsGreater(x, y)) return true;
                      return !IsGreater(y, x) && a < b;
                    });
  for (int64_t i = 0; i < layout.best; ++i) {
    const int64_t index = order[static_cast<size_t>(i)];
    std::string text = std::to_string(ValueAt<T>(data, index)) + ':' + std::to_string(index);
    if (static_cast<size_t>(index) < labels.size()) {
      text += ':' + labels[static_cast<size_t>(index)];
    }
    AppendBytesElement(text, out);
  }
}

template <typename T>
Result<std::string> ClassifyAs(const TensorView& tensor, const Layout& layout,
                               const std::vector<std::string>& labels) {
  const auto needed = static_cast<uint64_t>(layout.items * layout.values) * sizeof(T);
  if (tensor.data.size != needed) {
    return Internal("expected " + std::to_string(needed) + " bytes to classify, got " +
                    std::to_string(tensor.data.size));
  }
  std::string out;
  const size_t stride = static_cast<size_t>(layout.values) * sizeof(T);
  for (int64_t item = 0; item < layout.items; ++item) {
    AppendItem<T>(tensor.data.data + static_cast<size_t>(item) * stride, layout, labels, &out);
  }
  return out;
}

Result<std::string> ClassifyAny(const TensorView& tensor, const Layout& layout,
                                const std::vector<std::string>& labels) {
  switch (tensor.type) {
    case DataType::kUint8:
      return ClassifyAs<uint8_t>(tensor, layout, labels);
    case DataType::kUint16:
      return ClassifyAs<uint16_t>(tensor, layout, labels);
    case DataType::kUint32:
      return ClassifyAs<uint32_t>(tensor, layout, labels);
    case DataType::kUint64:
      return ClassifyAs<uint64_t>(tensor, layout, labels);
    case DataType::kInt8:
      return ClassifyAs<int8_t>(tensor, layout, labels);
    case DataType::kInt16:
      return ClassifyAs<int16_t>(tensor, layout, labels);
    case DataType::kInt32:
      return ClassifyAs<int32_t>(tensor, layout, labels);
    case DataType::kInt64:
      return ClassifyAs<int64_t>(tensor, layout, labels);
    case DataType::kFp32:
      return ClassifyAs<float>(tensor, layout, labels);
    case DataType::kFp64:
      return ClassifyAs<double>(tensor, layout, labels);
    default:
      return InvalidArgument("class result not available for output due to unsupported type '" +
                             std::string(DataTypeName(tensor.type)) + "'");
  }
}

Result<Layout> LayoutOf(const TensorView& tensor, uint32_t count, Batched batched) {
  const std::optional<int64_t> elements = tensor.shape.ElementCount();
  if (!elements) {
    return Internal("expected an output shape to classify, got " + tensor.shape.ToString());
  }
  Layout layout;
  layout.values = *elements;
  if (batched == Batched::kYes && tensor.shape.rank() > 0) {
    layout.items = tensor.shape[0];
    layout.values = layout.items == 0 ? 0 : *elements / layout.items;
  }
  layout.best = std::min<int64_t>(count, layout.values);
  // best <= values, so the product is at most the number of elements.
  if (layout.items * layout.best > kMaxResults) {
    return InvalidArgument("classification output tensor too large: expected at most " +
                           std::to_string(kMaxResults) + " classes, got " +
                           std::to_string(layout.items * layout.best));
  }
  return layout;
}

}  // namespace

Result<TensorView> Classify(const TensorView& tensor, const TensorSpec& spec, uint32_t count,
                            Batched batched, BlockPool* pool) {
  PT_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(tensor, count, batched));
  PT_ASSIGN_OR_RETURN(const std::string text, ClassifyAny(tensor, layout, spec.labels));
  TensorView classes;
  classes.type = DataType::kBytes;
  classes.shape = batched == Batched::kYes && tensor.shape.rank() > 0
                      ? Shape{layout.items, layout.best}
                      : Shape{layout.best};
  if (text.empty()) return classes;
  BlockRef block = pool->Allocate(text.size());
  if (!block) return Unavailable("no memory for the classes of output '" + spec.name + "'");
  std::memcpy(block->data(), text.data(), text.size());
  const char* data = block->data();
  classes.data = Slice(std::move(block), data, text.size());
  return classes;
}

}  // namespace pt::api
