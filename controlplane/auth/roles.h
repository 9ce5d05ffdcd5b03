// Roles by name and by order.
#pragma once

#include <string_view>

#include "controlplane/model/records.h"

namespace observeai::controlplane {

constexpr std::string_view to_string(model::Role role) {
  switch (role) {
    case model::Role::kViewer:
      return "viewer";
    case model::Role::kOperator:
      return "operator";
    case model::Role::kAdmin:
      return "admin";
  }
  return "viewer";
}

constexpr std::optional<model::Role> parse_role(std::string_view name) {
  for (const auto role : {model::Role::kViewer, model::Role::kOperator, model::Role::kAdmin}) {
    if (name == to_string(role)) return role;
  }
  return std::nullopt;
}

// Each role may do what the one before may, and more.
constexpr bool allows(model::Role have, model::Role need) {
  return have >= need;
}

}  // namespace observeai::controlplane
