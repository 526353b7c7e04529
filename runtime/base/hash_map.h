// Tables of what runs inside other programs, which may go on where memory is out.
#pragma once

#include <absl/hash/hash.h>

#include <unordered_map>

namespace weft {

// absl's tables (20220623) count slots that they did not get where an allocation throws while they
// grow, and free what they do not have; std's stay as they were. Hashed as absl does, by a seed
// that differs between processes, so that no file holds keys that collide.
template <typename Key, typename Value>
using HashMap = std::unordered_map<Key, Value, absl::Hash<Key>>;

}  // namespace weft
