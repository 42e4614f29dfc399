// NearestName: what somebody probably meant who wrote a name that does not exist.
//
// Thread rule: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pt::repo {

// The known name with the fewest edits from `name`, or one that ends in `name` ("FP32" ->
// "TYPE_FP32"). Empty when none is near.
std::string NearestName(std::string_view name, const std::vector<std::string>& known);

}  // namespace pt::repo
