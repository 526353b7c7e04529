// Freeing JSON where memory is out.
#pragma once

namespace weft {

// Empties it from the leaves. nlohmann's own destructor allocates for a value that holds others,
// and where that fails the process ends. For depths that a reader has bounded.
template <typename Json>
void ClearJson(Json& value) noexcept {
  if (value.is_structured()) {
    for (Json& inner : value) ClearJson(inner);
    value.clear();
  }
}

// Clears the value at the end of its scope.
template <typename Json>
class ClearsJson {
 public:
  explicit ClearsJson(Json& value) : value_(value) {}
  ~ClearsJson() { ClearJson(value_); }
  ClearsJson(const ClearsJson&) = delete;
  ClearsJson& operator=(const ClearsJson&) = delete;

 private:
  Json& value_;
};

}  // namespace weft
