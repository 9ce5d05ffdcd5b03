#include "agent/logs/trace_grammar.h"

#include <algorithm>
#include <array>

namespace observeai::agent {
namespace {

constexpr std::string_view kTraceback = "Traceback (most recent call last):";
constexpr std::size_t kRuleWidth = 18;  // Of "=====" lines; sanitizers write 65 and 18

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
std::string_view without_indent(std::string_view line) {
  const auto at = line.find_first_not_of(" \t");
  return at == std::string_view::npos ? std::string_view() : line.substr(at);
}
bool is_indented(std::string_view line) {
  return !line.empty() && (line[0] == ' ' || line[0] == '\t');
}
std::string_view after_digits(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  return text.substr(at);
}
template <std::size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return text.starts_with(beginning); });
}

// "\tat a.B.c(D.java:1)", "    at fn (/app/x.js:1:2)", "    at /app/x.js:1:2", "  at A.B() in x:line 3"
bool is_at_frame(std::string_view line) {
  if (!is_indented(line)) return false;
  const auto frame = without_indent(line);
  if (!frame.starts_with("at ")) return false;
  const auto place = frame.substr(3);
  if (contains(place, "(") || place == "<anonymous>") return true;
  const auto colon = place.rfind(':');
  return colon != std::string_view::npos && colon + 1 < place.size() && is_digit(place[colon + 1]);
}

// "\t... 12 more", "\t... 3 common frames omitted"
bool is_omitted_frames(std::string_view line) {
  const auto text = without_indent(line);
  if (!is_indented(line) || !text.starts_with("... ")) return false;
  const auto rest = after_digits(text.substr(4));
  return rest.size() < text.size() - 4 && (rest == " more" || rest.starts_with(" common frames"));
}

// "    #0 0x4a3b in main /src/a.cc:3"
bool is_sanitizer_frame(std::string_view line) {
  const auto text = without_indent(line);
  if (!is_indented(line) || !text.starts_with('#')) return false;
  const auto rest = after_digits(text.substr(1));
  return rest.size() + 1 < text.size() && without_indent(rest).starts_with("0x");
}

// "#12 0x00007f in raise () from libc.so", "#1  main () at a.cc:3"
bool is_gdb_frame(std::string_view line, bool first) {
  if (line.size() < 4 || line[0] != '#' || !is_digit(line[1]) || (first && line[1] != '0')) {
    return false;
  }
  const auto rest = after_digits(line.substr(1));
  if (!rest.starts_with(' ')) return false;
  const auto frame = without_indent(rest);
  return frame.starts_with("0x") || contains(frame, " (") || frame.starts_with("<signal handler");
}

// " 0# foo() at a.cc:3"
bool is_boost_frame(std::string_view line, bool first) {
  const auto text = without_indent(line);
  if (text.empty() || !is_digit(text[0]) || (first && text[0] != '0')) return false;
  return after_digits(text).starts_with("# ");
}

// "./prog(main+0x1a) [0x4005d0]"
bool is_address_line(std::string_view line) {
  if (!line.ends_with(']') || line.find_first_of("(/") == std::string_view::npos) return false;
  const auto open = line.rfind("[0x");
  if (open == std::string_view::npos) return false;
  const auto digits = line.substr(open + 3, line.size() - open - 4);
  return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "==12345==ERROR: AddressSanitizer: …", "WARNING: ThreadSanitizer: …"
bool is_sanitizer_head(std::string_view line) {
  if (!line.starts_with("==") && !line.starts_with("WARNING: ")) return false;
  return contains(line, "Sanitizer:") || contains(line, "SanitizerERROR");
}

// "\tfrom /app/x.rb:9:in `block in <main>'", "\t ... 10 levels..."
bool is_ruby_frame(std::string_view line) {
  if (line.starts_with("\t ... ")) return line.ends_with(" levels...");
  return line.starts_with("\tfrom ") && (contains(line, ":in `") || contains(line, ":in '"));
}

// "   3: shop::main", "             at ./src/main.rs:4:5"
bool is_rust_frame(std::string_view line) {
  const auto text = without_indent(line);
  if (!is_indented(line) || text.empty()) return false;
  const auto rest = after_digits(text);
  return (rest.size() < text.size() && rest.starts_with(": ")) || text.starts_with("at ");
}

// "PHP Fatal error:  Uncaught …" and what Laravel writes before "[stacktrace]"
bool is_php_head(std::string_view line) {
  constexpr std::size_t kMaxTime = 64;
  if (line.ends_with(')') && contains(line, "{\"exception\":\"[object] (")) return true;
  const auto begin = line.substr(0, kMaxTime);
  return contains(begin, "Fatal error: ") && contains(begin, " Uncaught ");
}

bool is_php_line(std::string_view line) {
  if (line.starts_with('#')) return after_digits(line.substr(1)).starts_with(' ');
  return line == "Stack trace:" || line == "[stacktrace]" || line == "\"}" ||
         line.starts_with("  thrown in ") || line.starts_with("Next ");
}

bool is_rule(std::string_view line) {
  return line.size() >= kRuleWidth && line.find_first_not_of('=') == std::string_view::npos;
}

// "/app/server.js:12"
bool is_node_place(std::string_view line) {
  if (!line.starts_with('/') && !line.starts_with("file:///") && !line.starts_with("node:")) {
    return false;
  }
  const auto colon = line.rfind(':');
  if (colon + 1 >= line.size() || !after_digits(line.substr(colon + 1)).empty()) return false;
  const auto file = line.substr(0, colon);
  return file.starts_with("node:") || file.ends_with(".js") || file.ends_with(".mjs") ||
         file.ends_with(".cjs") || file.ends_with(".ts");
}

bool names_exception(std::string_view line) {
  return contains(line, "Exception") || contains(line, "Error") || contains(line, "Throwable");
}

// "main.(*Server).handle(0xc000…)", "created by net/http.(*Server).Serve in goroutine 1"
bool is_go_line(std::string_view line) {
  constexpr std::array<std::string_view, 10> kParts{
      "goroutine ", "\t",           "created by ", "[signal ",      "panic: ",
      "runtime",    "exit status ", "...",         "fatal error: ", "panic({"};
  if (line.empty() || starts_with_any(line, kParts)) return true;
  const auto open = line.rfind('(');
  return open != std::string_view::npos && line.ends_with(')') &&
         line.substr(0, open).find(' ') == std::string_view::npos &&
         contains(line.substr(0, open), ".");
}

}  // namespace

void TraceGrammar::reset() {
  *this = TraceGrammar();
}

bool TraceGrammar::continues(std::string_view line) {
  if (has_line_ && continues_kind(line)) return true;
  kind_ = begin(line);
  has_line_ = true;
  return false;
}

TraceGrammar::Kind TraceGrammar::begin(std::string_view line) {
  node_ended_ = false;
  if (line.empty()) return Kind::kNone;
  switch (line[0]) {
    case 'T':
      if (line.starts_with(kTraceback)) return Kind::kPython;
      break;
    case ' ':
      if (line.starts_with("  + Exception Group Traceback")) return Kind::kPythonGroup;
      if (is_boost_frame(line, true)) return Kind::kBoost;
      [[fallthrough]];
    case '\t':
      if (is_at_frame(line)) return Kind::kFrames;
      break;
    case 'p':
      if (line.starts_with("panic: ")) return Kind::kGo;
      break;
    case 'P':
    case 'F':
    case '[':
      if (is_php_head(line)) return Kind::kPhp;
      break;
    case 'f':
      if (line.starts_with("fatal error: ")) return Kind::kGo;
      break;
    case 'g':
      if (line.starts_with("goroutine ") && contains(line, " [")) return Kind::kGo;
      break;
    case 't':
      if (line.starts_with("terminate called ")) return Kind::kTerminate;
      if (line.starts_with("thread '") && contains(line, "' panicked at "))
        return line.ends_with(':') ? Kind::kRustPanic : Kind::kRust;
      break;
    case '#':
      if (is_gdb_frame(line, true)) return Kind::kGdb;
      break;
    case '0':
      if (is_boost_frame(line, true)) return Kind::kBoost;
      break;
    case '=':
      if (is_rule(line)) return Kind::kRule;
      [[fallthrough]];
    case 'W':
      if (is_sanitizer_head(line)) return Kind::kSanitizer;
      break;
    default:
      break;
  }
  if (line.ends_with(':') && line.ends_with(kTraceback)) return Kind::kPython;
  return is_node_place(line) ? Kind::kNodePlace : Kind::kNone;
}

bool TraceGrammar::continues_kind(std::string_view line) {
  switch (kind_) {
    case Kind::kNone:
    case Kind::kFrames:
    case Kind::kBraces:
      return continues_frames(line);
    case Kind::kNodePlace:
    case Kind::kNodeSource:
    case Kind::kNodeMark:
    case Kind::kNodeMessage:
      return continues_node(line);
    case Kind::kPython:
    case Kind::kPythonEnd:
      return continues_python(line);
    case Kind::kPythonGroup:
      return is_indented(line);
    case Kind::kGo:
      return is_go_line(line);
    case Kind::kGdb:
      return is_gdb_frame(line, false) ||
             (is_indented(line) && without_indent(line).starts_with("at "));
    case Kind::kBoost:
      return is_boost_frame(line, false);
    case Kind::kTerminate:
      if (is_gdb_frame(line, true)) kind_ = Kind::kGdb;
      if (is_address_line(line)) kind_ = Kind::kAddresses;
      return kind_ != Kind::kTerminate || line.starts_with("  what():") ||
             line.starts_with("Aborted");
    case Kind::kAddresses:
      return is_address_line(line);
    case Kind::kRule:
    case Kind::kSanitizer:
      return continues_sanitizer(line);
    case Kind::kRustPanic:
      kind_ = Kind::kRust;
      return true;
    case Kind::kRust:
      if (line == "stack backtrace:") kind_ = Kind::kRustFrames;
      return kind_ == Kind::kRustFrames || line.starts_with("note: ");
    case Kind::kRustFrames:
      return line.starts_with("note: ") || is_rust_frame(line);
    case Kind::kRuby:
      return is_ruby_frame(line);
    case Kind::kPhp:
      if (!is_php_line(line)) return false;
      if (line == "\"}" || line.starts_with("  thrown in ")) kind_ = Kind::kNone;
      return true;
  }
  return false;
}

bool TraceGrammar::continues_frames(std::string_view line) {
  if (node_ended_ && (line.empty() || line.starts_with("Node.js v"))) return true;
  if (line.empty()) return false;
  if (kind_ == Kind::kBraces) {
    if (line[0] == '}') kind_ = Kind::kFrames;
    return is_indented(line) || line[0] == '}';
  }
  if (is_indented(line)) {
    if (is_at_frame(line)) {
      kind_ = line.ends_with(" {") ? Kind::kBraces : Kind::kFrames;
      return true;
    }
    if (is_sanitizer_frame(line)) {
      kind_ = Kind::kSanitizer;
      return true;
    }
  }
  if (is_omitted_frames(line)) return true;
  if (kind_ == Kind::kNone && is_ruby_frame(line)) {
    kind_ = Kind::kRuby;
    return true;
  }
  // Of .NET; "docker build" writes such arrows too.
  if (line.starts_with(" ---> ") && names_exception(line)) {
    kind_ = Kind::kFrames;
    return true;
  }
  const auto text = without_indent(line);
  if (kind_ != Kind::kFrames) return false;
  if (line == "--- End of stack trace from previous location ---") return true;
  constexpr std::array<std::string_view, 5> kParts{"Suppressed: ", "- locked <", "- waiting ",
                                                   "--- End of inner exception stack trace ---",
                                                   "[CIRCULAR REFERENCE"};
  return text.starts_with("Caused by: ") || (is_indented(line) && starts_with_any(text, kParts));
}

// The place, the source line, "^", an empty line, the message, its frames.
bool TraceGrammar::continues_node(std::string_view line) {
  const auto text = without_indent(line);
  switch (kind_) {
    case Kind::kNodePlace:
      kind_ = Kind::kNodeSource;
      return true;
    case Kind::kNodeSource:
      kind_ = Kind::kNodeMark;
      return !text.empty() && text.find_first_not_of("^ ") == std::string_view::npos;
    case Kind::kNodeMark:
      if (!line.empty()) kind_ = Kind::kNodeMessage;
      if (line.ends_with(" {")) {  // No frames, only properties
        kind_ = Kind::kBraces;
        node_ended_ = true;
      }
      return !is_indented(line);
    default:
      break;
  }
  if (!is_at_frame(line)) return false;
  node_ended_ = true;
  kind_ = line.ends_with(" {") ? Kind::kBraces : Kind::kFrames;
  return true;
}

bool TraceGrammar::continues_python(std::string_view line) {
  if (kind_ == Kind::kPython) {
    if (line.empty()) return false;
    if (!is_indented(line)) kind_ = Kind::kPythonEnd;
    return true;
  }
  if (line.empty()) return true;
  if (line.starts_with(kTraceback)) {
    kind_ = Kind::kPython;
    return true;
  }
  return line.starts_with("During handling of the above exception") ||
         line.starts_with("The above exception was the direct cause");
}

bool TraceGrammar::continues_sanitizer(std::string_view line) {
  if (kind_ == Kind::kRule) {
    kind_ = Kind::kSanitizer;
    return is_sanitizer_head(line);
  }
  constexpr std::array<std::string_view, 21> kParts{"READ of size ",
                                                    "WRITE of size ",
                                                    "0x",
                                                    "freed by thread",
                                                    "previously allocated",
                                                    "allocated by thread",
                                                    "SUMMARY: ",
                                                    "Shadow byte",
                                                    "=>0x",
                                                    "Direct leak of ",
                                                    "Indirect leak of ",
                                                    "Address 0x",
                                                    "HINT: ",
                                                    "The signal is caused",
                                                    "Thread T",
                                                    "Uninitialized value",
                                                    "Memory access at",
                                                    "This frame has",
                                                    "located in stack",
                                                    "Objects leaked above",
                                                    "Register values:"};
  if (line.empty() || line.starts_with("==") || is_sanitizer_frame(line)) return true;
  if (starts_with_any(line, kParts)) return true;
  if (!is_indented(line)) return false;
  const auto text = without_indent(line);
  constexpr std::array<std::string_view, 26> kInner{
      "Write of size ", "Read of size ", "Previous ",          "Location is ",  "Thread T",
      "Mutex M",        "Atomic ",       "As if synchronized", "Addressable:",  "Partially ",
      "Heap left",      "Freed heap",    "Stack left",         "Stack mid",     "Stack right",
      "Stack after",    "Stack use",     "Global redzone",     "Global init",   "Poisoned by",
      "Container ",     "Array cookie",  "Intra object",       "ASan internal", "Left alloca",
      "Right alloca"};
  return starts_with_any(text, kInner) || text.starts_with("0x") || text.starts_with("[") ||
         text.starts_with("Shadow gap") || text.starts_with("#");
}

bool TraceGrammar::waits(std::string_view first_line) const {
  if (!has_line_) return false;
  return kind_ != Kind::kNone || names_exception(first_line);
}

}  // namespace observeai::agent
