// A forecaster's numbers as bytes: little-endian, in the order of its each_field, with version and checksum.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace observeai::predict {

// Calls `visit(number)` for every number in what an each_field passes on.
template <class Visitor>
class EachNumber {
 public:
  explicit EachNumber(Visitor& visitor) : visitor_(visitor) {}
  template <class T>
  void operator()(T& field) {
    if constexpr (requires { field.each_field(*this); }) {
      field.each_field(*this);
    } else {
      visitor_(field);
    }
  }
  template <class T, std::size_t n>
  void operator()(std::array<T, n>& fields) {
    for (auto& field : fields) (*this)(field);
  }

 private:
  Visitor& visitor_;
};

class FieldWriter {
 public:
  template <class T>
  void operator()(const T& number) {
    if constexpr (std::is_same_v<T, float>) {
      (*this)(std::bit_cast<std::uint32_t>(number));
    } else if constexpr (std::is_same_v<T, double>) {
      (*this)(std::bit_cast<std::uint64_t>(number));
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      (*this)(static_cast<std::uint8_t>(number));
    } else {
      static_assert(std::is_integral_v<T>);
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes_.push_back(
            static_cast<char>(static_cast<std::make_unsigned_t<T>>(number) >> (8 * i)));
      }
    }
  }
  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what FieldWriter wrote; `failed` once bytes are missing or a bool or enum is out of range.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  void operator()(T& number) {
    if constexpr (std::is_same_v<T, float>) {
      std::uint32_t bits = 0;
      (*this)(bits);
      number = std::bit_cast<float>(bits);
    } else if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      (*this)(bits);
      number = std::bit_cast<double>(bits);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      (*this)(byte);
      if (byte > 1) failed_ = true;
      number = byte == 1;
    } else if constexpr (std::is_enum_v<T>) {
      std::uint8_t byte = 0;
      (*this)(byte);
      number = static_cast<T>(byte);
    } else {
      static_assert(std::is_integral_v<T>);
      if (bytes_.size() < sizeof(T)) {
        failed_ = true;
        return;
      }
      std::make_unsigned_t<T> value = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        value |= static_cast<std::make_unsigned_t<T>>(
            static_cast<std::make_unsigned_t<T>>(static_cast<unsigned char>(bytes_[i])) << (8 * i));
      }
      bytes_.remove_prefix(sizeof(T));
      number = static_cast<T>(value);
    }
  }
  bool failed() const { return failed_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

// Every number of a forecast, in the order in which states keep it.
template <class Of, class Visitor>
void each_number_of(Of& forecast, Visitor&& visit) {
  visit(forecast.p_horizon);
  visit(forecast.left_p10);
  visit(forecast.left_p50);
  visit(forecast.left_p90);
  visit(forecast.alarm);
  visit(forecast.shape);
  visit(forecast.slope);
  visit(forecast.regime_age);
  visit(forecast.missing);
}

// FNV-1a (Fowler, Noll, Vo): notices damage, not malice.
constexpr std::uint32_t checksum(std::string_view bytes) {
  std::uint32_t hash = 2166136261U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  }
  return hash;
}

// Version and checksum before a state; without them again, nothing when they do not fit.
inline std::string with_checksum(std::uint8_t version, std::string_view state) {
  FieldWriter head;
  head(version);
  head(checksum(state));
  return std::move(head).take().append(state);
}
inline std::optional<std::string_view> checked(std::uint8_t version, std::string_view bytes) {
  FieldReader head(bytes);
  std::uint8_t of = 0;
  std::uint32_t sum = 0;
  head(of);
  head(sum);
  if (head.failed() || of != version) return std::nullopt;
  const auto state = bytes.substr(sizeof of + sizeof sum);
  if (sum != checksum(state)) return std::nullopt;
  return state;
}

}  // namespace observeai::predict
