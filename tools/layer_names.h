// Locations in a model: "model.layers.3.mlp.down_proj".
#pragma once

#include <cstdint>
#include <string>

namespace weft::tools {

// "model.layers.*.mlp.down_proj": one name for all layers.
std::string WithoutLayer(const std::string& location);

// "mlp.down_proj"; all of what stands in no layer.
std::string WithinLayer(const std::string& location);

// 3; -1 of what stands in no layer.
int64_t LayerOf(const std::string& location);

}  // namespace weft::tools
