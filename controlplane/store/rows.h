// What a statement answers, as values.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/sql/database.h"

namespace observeai::controlplane::store {

// Every row, each made by `make`.
template <class T, class Make>
Result<std::vector<T>> all(sql::Statement& row, Make make) {
  std::vector<T> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    TRY(auto one, make(row));
    out.push_back(std::move(one));
  }
}

// The first row, if there is one.
template <class T, class Make>
Result<std::optional<T>> one_of(sql::Statement& row, Make make) {
  TRY(const bool found, row.step());
  if (!found) return std::optional<T>();
  TRY(auto one, make(row));
  return std::optional<T>(std::move(one));
}

}  // namespace observeai::controlplane::store
