// What is asked of an HTTP request before it is handled, and said with every reply. Pure.
#pragma once

#include <cstddef>
#include <optional>

#include <boost/beast/http.hpp>

#include "controlplane/api/messages.h"

namespace observeai::controlplane::api {

// What Beast lets pass and we do not: anything that two parsers could read in two ways.
std::optional<Problem> check_header(const boost::beast::http::request_header<>& header);
std::size_t count_fields(const boost::beast::http::request_header<>& header);
// What a failed read is answered with. nullopt: nobody is there to be answered.
std::optional<Problem> problem_of(const boost::system::error_code& error, std::size_t body_limit);
void add_security_headers(boost::beast::http::fields& fields);

}  // namespace observeai::controlplane::api
