// Takes log lines apart into what they have in common and what varies:
//   "order 4711 done in 12 ms"  is the skeleton  "order " _ " done in " _ " ms"  with 4711 and 12.
// A value is a number or a word with a digit in it, as in CLP (Rodrigues, Luo, Yuan: CLP: Efficient and
// Scalable Search on Compressed Text Logs, OSDI 2021); the rest of the line is static text. Each
// skeleton and each text is kept once.
//
// Values go to columns by the two static texts before them. So a value that several skeletons have in
// common ("… rt=0." _ after any user agent) has one column, and one skeleton's values have many
// (Logzip by Liu et al., ASE 2019, has a column for each place of a template found by clustering).
//
// How a line is split decides about size only: joined again every split gives the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace observeai::wire::detail {

// Bounds of what one batch may have of each: a reader takes memory for it. A line beyond them is
// plain; a batch of the agent's (1 MiB) comes near none of them unless its lines have nothing in common.
inline constexpr std::size_t kMaxPlaces = 128;              // Of a line
inline constexpr std::size_t kMaxColumns = 8192;            // Numbered in 16 bits
inline constexpr std::size_t kMaxSkeletonTexts = 1U << 17;  // Of all skeletons together

// A run of digits (up to 18), a word of lower-case hex digits, any other word with a digit.
enum class ValueKind : std::uint8_t { kDecimal = 1, kHex = 2, kText = 4 };

// Batches have millions of them: 16 bytes.
struct LogValue {
  union {
    std::uint64_t number;  // Of kDecimal
    const char* text;      // Of the others
  };
  std::uint32_t length;  // In bytes, with the zeros before a number
  std::uint16_t column;
  ValueKind kind;
};

class LogSkeletons {
 public:
  static constexpr std::uint32_t kPlain = UINT32_MAX;

  // A static text, and the column of the value behind it; the last one has no value.
  struct Part {
    std::uint32_t text = 0;
    std::uint32_t column = 0;
  };

  LogSkeletons(std::size_t lines, std::size_t bytes);  // That are expected

  // The bytes must stay where they are.
  void add(std::string_view line);

  // Of each line, in order: its skeleton, or kPlain when it was not split.
  const std::vector<std::uint32_t>& lines() const { return lines_; }
  const std::vector<std::string_view>& plain() const { return plain_; }
  std::size_t skeleton_count() const { return leaves_.size(); }
  void parts_of(std::uint32_t skeleton, std::vector<Part>& out) const;
  const std::vector<std::string_view>& texts() const { return texts_; }
  std::size_t column_count() const { return columns_.size(); }
  const std::vector<LogValue>& values() const { return values_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // Lines with the same beginning share nodes. An inner node is a text with a value behind it, a leaf
  // the text at the end of a line.
  struct Node {
    std::string_view bytes;       // Of the text
    std::uint64_t beginning = 0;  // The first eight of them
    bool ends_in_letter = false;
    std::uint32_t parent = kNone;
    std::uint32_t text = kNone;
    std::uint32_t column = kNone;  // kNone: a leaf
    std::uint32_t hash = 0;
    std::uint32_t depth = 0;
    std::uint32_t skeleton = kNone;     // Of a leaf, once a line ended there
    std::uint32_t likely_next = kNone;  // The child that the newest line took
    std::uint32_t likely_end = kNone;   // The same, a leaf
  };

  // Open addressing with linear probing; gives up after kMaxProbes, so hostile lines cost no more.
  class Table {
   public:
    // The entry that `same` accepts; else makes one, with what `make` gives unless that is kNone.
    template <class Same, class Make, class HashOf>
    std::uint32_t find(std::uint32_t hash, const Same& same, const Make& make,
                       const HashOf& hash_of);

   private:
    std::vector<std::uint32_t> slots_;
    std::size_t count_ = 0;
  };

  std::uint32_t walk(std::string_view line);
  std::uint32_t step_again(std::uint32_t node, const char*& at, const char* end);
  std::uint32_t step(std::uint32_t node, const char*& at, const char* end);
  std::uint32_t child(std::uint32_t parent, std::string_view text, bool leaf);
  std::uint32_t make_node(std::uint32_t parent, std::string_view text, std::uint32_t text_hash,
                          std::uint32_t hash, bool leaf);
  std::uint32_t text_number(std::string_view text, std::uint32_t hash);
  std::uint32_t column_number(std::uint32_t before, std::uint32_t text);

  std::vector<Node> nodes_;
  std::vector<std::string_view> texts_;
  std::vector<std::uint32_t> text_hashes_;
  std::vector<std::uint64_t> columns_;  // The two texts
  std::vector<std::uint32_t> leaves_;   // Of each skeleton
  std::vector<std::uint32_t> lines_;
  std::vector<std::string_view> plain_;
  std::vector<LogValue> values_;
  std::size_t skeleton_texts_ = 0;
  Table node_table_;
  Table text_table_;
  Table column_table_;
};

}  // namespace observeai::wire::detail
