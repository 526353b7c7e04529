#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/fuzz/mutate.h"

namespace weft::fuzz {
namespace {

using Json = nlohmann::ordered_json;
// Below it keys may occur twice; the map above it prevents that.
using Members = std::vector<std::pair<const std::string, Json>>;

Members& MembersOf(Json& object) { return object.get_ref<Json::object_t&>(); }

Json& Child(Json& container, size_t i) {
  return container.is_object() ? MembersOf(container)[i].second : container[i];
}

// A value of the document: one of the upper levels as likely as any of the thousands below.
Json& Choose(Json& root, Random& random) {
  Json* node = &root;
  while (node->is_structured() && !node->empty() && random() % 6 != 0)
    node = &Child(*node, Below(node->size(), random));
  return *node;
}

Json Scalar(Random& random) {
  switch (Below(12, random)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return "";
    case 3:
      return Json::array();
    case 4:
      return Json::object();
    case 5:
      return 1e308;
    case 6:
      return 0.5;
    case 7:
      return -0.0;
    case 8:
      return std::numeric_limits<int64_t>::min();
    case 9:
      return -static_cast<int64_t>(Below(1000, random));
    case 10:
      return std::string(Below(300, random), static_cast<char>('a' + Below(3, random)));
    default:
      return MutateInteger(Below(100, random), random);
  }
}

// With another key, or the same once more.
void AddMember(Json& object, const std::string& key, const Json& value, Random& random) {
  MembersOf(object).emplace_back(random() % 2 == 0 ? key : MutateBytes(key, 32, random), value);
}

void ChangeContainer(Json& node, size_t room, Random& random) {
  const size_t i = Below(node.size(), random);
  switch (Below(6, random)) {
    case 0:
      if (node.is_object()) {
        Members kept;
        for (size_t k = 0; k < node.size(); ++k)
          if (k != i) kept.push_back(MembersOf(node)[k]);
        MembersOf(node).swap(kept);
      } else {
        node.erase(node.begin() + static_cast<std::ptrdiff_t>(i));
      }
      return;
    case 1: {  // an element or member once more
      const Json copy = Child(node, i);
      if (node.is_object()) {
        const std::string key = MembersOf(node)[i].first;
        AddMember(node, key, copy, random);
      } else {
        node.insert(node.begin() + static_cast<std::ptrdiff_t>(Below(node.size(), random)), copy);
      }
      return;
    }
    case 2:
      std::swap(Child(node, i), Child(node, Below(node.size(), random)));
      return;
    case 3:  // an element many times
      if (node.is_array() &&
          node[i].dump(-1, ' ', false, Json::error_handler_t::replace).size() < room / 64) {
        const Json copy = node[i];
        for (size_t n = Below(64, random); n > 0; --n) node.push_back(copy);
      }
      return;
    case 4:
      if (node.is_array()) {
        node.erase(node.begin() + static_cast<std::ptrdiff_t>(i), node.end());
        return;
      }
      [[fallthrough]];
    default:
      Child(node, i) = Scalar(random);
  }
}

void Change(Json& root, size_t room, Random& random) {
  Json& node = Choose(root, random);
  const size_t kind = Below(8, random);
  if (kind == 0) {
    node = Scalar(random);
  } else if (kind == 1) {
    const Json copy = Choose(root, random);  // a copy: one of the two may hold the other
    if (copy.is_primitive() || copy.size() < 64) node = copy;
  } else if (kind == 2) {
    for (size_t depth = Below(8, random) == 0 ? 300 : 1; depth > 0; --depth)
      node = random() % 2 == 0 ? Json::array({node}) : Json{{"type", node}};
  } else if (node.is_structured() && !node.empty()) {
    ChangeContainer(node, room, random);
  } else if (node.is_string()) {
    node = MutateBytes(node.get_ref<const std::string&>(), room, random);
  } else if (node.is_number_float()) {
    node = node.get<double>() * (random() % 2 == 0 ? -1.0 : 1e9);
  } else if (node.is_number_integer()) {
    const uint64_t value = MutateInteger(node.get<uint64_t>(), random);
    if (random() % 4 == 0)
      node = static_cast<int64_t>(value);
    else
      node = value;
  } else {
    node = Scalar(random);
  }
}

}  // namespace

std::string MutateJson(absl::string_view text, size_t room, Random& random) {
  // The parser takes any depth, but copying and printing call themselves.
  const auto deepest = [depth = 0](int now, Json::parse_event_t, Json&) mutable {
    depth = std::max(depth, now);
    return depth < 1000;
  };
  Json root = Json::parse(text.begin(), text.end(), deepest, /*allow_exceptions=*/false);
  if (root.is_discarded()) return "";
  for (size_t changes = 1 + Below(3, random); changes > 0; --changes) Change(root, room, random);
  return root.dump(-1, ' ', /*ensure_ascii=*/random() % 4 == 0, Json::error_handler_t::replace);
}

}  // namespace weft::fuzz
