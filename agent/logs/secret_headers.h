// Secrets in the headers of HTTP, and what stands for them in logs. Pure; each looks at a bounded stretch
// around its anchor, or at a run that it then replaces.
#pragma once

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// Authorization: <scheme> <credentials>, as a header line, a JSON member or key=value. Anchor: "oriz".
SecretSpan match_authorization(std::string_view text, std::size_t at);
// "bearer <token>" anywhere. Anchor: "eare".
SecretSpan match_bearer(std::string_view text, std::size_t at);
// Cookie: and Set-Cookie: headers, whole value. Anchor: "ooki".
SecretSpan match_cookie(std::string_view text, std::size_t at);

}  // namespace observeai::agent
