// Which lines of one stream belong to one stack trace. Pure; knows Java (also .NET), Python, Go,
// Node, Rust, Ruby, PHP and C++ (terminate, gdb and boost backtraces, sanitizer reports).
//
// A line joins the one before it only when its shape says so without doubt: a frame ("\tat
// a.B.c(D.java:1)", "    #0 0x…", "  File …" in a Python traceback), or a part of a report whose
// beginning was seen. Never because of an indent alone. A log line stays by itself until a frame
// follows it.
#pragma once

#include <cstdint>
#include <string_view>

namespace observeai::agent {

class TraceGrammar {
 public:
  // The next line of the stream. Does it continue the trace that the line before is part of?
  // false: it begins anew, alone or a trace of its own.
  bool continues(std::string_view line);
  // May a further line continue the trace? `first_line` of the lines joined so far.
  bool waits(std::string_view first_line) const;
  // What comes next has no line before it.
  void reset();

 private:
  enum class Kind : std::uint8_t {
    kNone,         // A line that is no trace so far
    kFrames,       // Java, .NET, Node, JavaScript: "at" frames
    kBraces,       // The properties of a Node error: until "}"
    kNodePlace,    // An uncaught Node error: "/app/x.js:12"
    kNodeSource,   // … the source line
    kNodeMark,     // … "^" under it
    kNodeMessage,  // … its message
    kPython,       // Frames of a traceback
    kPythonEnd,    // … the exception's own line
    kPythonGroup,  // An exception group: indented throughout
    kGo,           // A panic
    kGdb,          // "#0 …"
    kBoost,        // " 0# …"
    kTerminate,    // "terminate called …"
    kAddresses,    // "prog(main+0x1a) [0x4005d0]"
    kRule,         // "=====", with which a sanitizer's report may begin
    kSanitizer,
    kRustPanic,   // "thread 'main' panicked at …:", the message follows
    kRust,        // … its notes
    kRustFrames,  // … its backtrace
    kRuby,        // "\tfrom …" frames
    kPhp,         // "PHP Fatal error:  Uncaught …", "#0 …"
  };

  Kind begin(std::string_view line);
  bool continues_frames(std::string_view line);
  bool continues_node(std::string_view line);
  bool continues_python(std::string_view line);
  bool continues_sanitizer(std::string_view line);
  bool continues_kind(std::string_view line);

  Kind kind_ = Kind::kNone;
  bool has_line_ = false;
  bool node_ended_ = false;  // Of kFrames: "Node.js v18" may follow
};

}  // namespace observeai::agent
