// Secrets in URLs and in what drivers write instead of one. Pure; each looks at a bounded stretch around
// its anchor.
#pragma once

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// scheme://user:password@host, scheme://token@host. Anchor: "x://".
SecretSpan match_url_userinfo(std::string_view text, std::size_t at);
// The same with "\/" for "/", as PHP's json_encode() writes it, or percent-encoded. Anchors ":\/\", "3a%2".
SecretSpan match_escaped_url(std::string_view text, std::size_t at);
// user:password@tcp(host:3306)/db, as Go's MySQL driver writes it. Anchor: "@tcp", "@uni".
SecretSpan match_dsn(std::string_view text, std::size_t at);
// jdbc:oracle:thin:scott/tiger@host and jdbc:oracle:oci:… Anchor: ":ora".
SecretSpan match_oracle(std::string_view text, std::size_t at);
// sig=… of an Azure shared access signature. Anchor: "sig=".
SecretSpan match_sas_signature(std::string_view text, std::size_t at);

void add_query_anchors(SecretPrefilter& filter, std::uint16_t tag);
// A parameter of a URL that lets in whoever has it, when its value looks random: ?code=, &X-Amz-Signature=.
SecretSpan match_query(std::string_view text, std::size_t at);

}  // namespace observeai::agent
