#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

std::string body_with(const std::string& envelope) {
  return "{\"envelopes\":[\"" + envelope + "\"]}";
}

TEST_CASE("the root is shown as signed and decoded, and grows by what is published") {
  Fixture f;
  auto shown = f.get("/v1/root", "viewer");
  CHECK(shown.at("newest").as_object().at("version").as_int64() == 1);
  CHECK(shown.at("newest").as_object().at("threshold").as_int64() == 2);
  const auto& approvers = shown.at("newest").as_object().at("approvers").as_array();
  CHECK(approvers.at(0).as_object().at("person").as_string() == "ada");
  CHECK(approvers.at(0).as_object().at("key").as_string() ==
        signing::to_text(f.acme.ada.public_key()));
  const Reply reply = f.send("POST", "/v1/root", "admin", body_with(f.next_root()));
  REQUIRE(reply.status == 200);
  shown = f.get("/v1/root", "viewer");
  CHECK(shown.at("newest").as_object().at("version").as_int64() == 2);
  const auto& chain = shown.at("chain").as_array();
  REQUIRE(chain.size() == 2);
  const auto bytes =
      text::from_base64url(std::string(chain.at(1).as_object().at("envelope").as_string())).value();
  CHECK(text::as_text(bytes) == f.roots->newest_envelope());
  CHECK(chain.at(1).as_object().at("sha256").as_string() ==
        signing::sha256_hex(f.roots->newest_envelope()));
}

TEST_CASE("who may not, what is no successor, and nonsense change nothing") {
  Fixture f;
  f.refused(403, "POST", "/v1/root", "operator", body_with(f.next_root()));
  f.refused(403, "POST", "/v1/root", "stranger", body_with(f.next_root()));
  f.refused(400, "POST", "/v1/root", "admin", "{}");
  f.refused(400, "POST", "/v1/root", "admin", body_with("not base64"));
  test::Organisation mallory;
  const auto forged = mallory.signed_root(mallory.root(2));
  f.refused(403, "POST", "/v1/root", "admin",
            body_with(text::to_base64url(text::as_bytes(forged))));
  CHECK(f.roots->newest().version == 1);
}

}  // namespace
}  // namespace observeai::controlplane::api
