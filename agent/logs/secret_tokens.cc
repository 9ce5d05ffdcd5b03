#include "agent/logs/secret_tokens.h"

#include <array>
#include <string>

namespace observeai::agent {
namespace {

using chars::is;
using chars::run_end;

// A fixed piece, then a body of one alphabet, and before it sometimes another part of the token. The
// anchor is the four bytes of the piece at `anchor`; pieces of three bytes are added with every fourth.
struct TokenShape {
  std::string_view piece;
  std::uint16_t body;
  std::uint16_t min;  // Bytes of the body
  std::uint16_t max;  // 0 = the whole run
  std::string_view kind;
  std::uint8_t anchor = 0;
  std::uint16_t before =
      0;  // Alphabet of the part before the piece; 0 = the token begins with the piece
  std::uint16_t min_before = 0;
  std::uint16_t max_before = 0;
};

// Published forms; docs/formats/redaction.md has an example of each.
constexpr auto kTokens = std::to_array<TokenShape>({
    {"AKIA", chars::kUpper | chars::kDigit, 16, 16, "aws_access_key_id"},
    {"ASIA", chars::kUpper | chars::kDigit, 16, 16, "aws_access_key_id"},
    {"ABIA", chars::kUpper | chars::kDigit, 16, 16, "aws_access_key_id"},
    {"ACCA", chars::kUpper | chars::kDigit, 16, 16, "aws_access_key_id"},
    {"FwoGZXIvYXdz", chars::kAlnum | chars::kBase64, 80, 0, "aws_session_token"},
    {"IQoJb3JpZ2lu", chars::kAlnum | chars::kBase64, 80, 0, "aws_session_token"},
    {"ghp_", chars::kWord, 30, 0, "github_token"},
    {"gho_", chars::kWord, 30, 0, "github_token"},
    {"ghu_", chars::kWord, 30, 0, "github_token"},
    {"ghs_", chars::kWord, 30, 0, "github_token"},
    {"ghr_", chars::kWord, 30, 0, "github_token"},
    {"github_pat_", chars::kWord, 22, 0, "github_token", 5},
    {"glpat-", chars::kUrlSafe | chars::kDot, 20, 0, "gitlab_token"},
    {"gldt-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glrt-", chars::kUrlSafe | chars::kDot, 20, 0, "gitlab_token"},
    {"glptt-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glcbt-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glsoat-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glagent-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"xoxb-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxp-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxa-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxr-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxs-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxc-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxd-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xoxe.", chars::kUrlSafe | chars::kDot, 10, 0, "slack_token"},
    {"xoxe-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"xapp-", chars::kUrlSafe, 10, 0, "slack_token"},
    {"hooks.slack.com/services/", chars::kAlnum | chars::kBase64, 20, 0, "slack_webhook", 4},
    {"sk_live_", chars::kWord, 16, 0, "stripe_key"},
    {"sk_test_", chars::kWord, 16, 0, "stripe_key"},
    {"rk_live_", chars::kWord, 16, 0, "stripe_key"},
    {"rk_test_", chars::kWord, 16, 0, "stripe_key"},
    {"whsec_", chars::kAlnum | chars::kBase64, 16, 0, "stripe_webhook_secret"},
    {"AIza", chars::kUrlSafe, 35, 35, "google_api_key"},
    {"ya29.", chars::kUrlSafe | chars::kDot, 20, 0, "google_oauth_token"},
    {"GOCSPX-", chars::kUrlSafe, 20, 0, "google_client_secret"},
    {"sk-", chars::kUrlSafe, 20, 0, "openai_key"},
    {"npm_", chars::kAlnum, 36, 0, "npm_token"},
    {"pypi-AgE", chars::kUrlSafe, 40, 0, "pypi_token"},
    {"rubygems_", chars::kHexLower, 40, 0, "rubygems_token", 4},
    {"dckr_pat_", chars::kUrlSafe, 20, 0, "docker_token"},
    {"hf_", chars::kAlnum, 30, 0, "huggingface_token"},
    {"SG.", chars::kUrlSafe | chars::kDot, 60, 0, "sendgrid_key"},
    {"shpat_", chars::kHexLower, 32, 0, "shopify_token"},
    {"shpss_", chars::kHexLower, 32, 0, "shopify_token"},
    {"shpca_", chars::kHexLower, 32, 0, "shopify_token"},
    {"shppa_", chars::kHexLower, 32, 0, "shopify_token"},
    {"dop_v1_", chars::kHexLower, 64, 0, "digitalocean_token"},
    {"doo_v1_", chars::kHexLower, 64, 0, "digitalocean_token"},
    {"dor_v1_", chars::kHexLower, 64, 0, "digitalocean_token"},
    {"hvs.", chars::kUrlSafe, 24, 0, "vault_token"},
    {"hvb.", chars::kUrlSafe, 24, 0, "vault_token"},
    {"dapi", chars::kHexLower, 32, 0, "databricks_token"},
    {"key-", chars::kHexLower, 32, 32, "mailgun_key"},
    {"NRAK-", chars::kUpper | chars::kDigit, 27, 0, "newrelic_key"},
    {"PMAK-", chars::kHexLower | chars::kDash, 50, 0, "postman_key"},
    {"glsa_", chars::kWord, 32, 0, "grafana_token"},
    {"glc_eyJ", chars::kAlnum | chars::kBase64, 32, 0, "grafana_token"},
    {"lin_api_", chars::kAlnum, 40, 0, "linear_key"},
    {"pul-", chars::kHexLower, 40, 0, "pulumi_token"},
    {"sntrys_", chars::kUrlSafe | chars::kBase64, 40, 0, "sentry_token"},
    {"sq0atp-", chars::kUrlSafe, 22, 0, "square_token"},
    {"sq0csp-", chars::kUrlSafe, 43, 0, "square_token"},
    {"ATATT3", chars::kUrlSafe | chars::kBase64, 60, 0, "atlassian_token"},
    {"AGE-SECRET-KEY-1", chars::kUpper | chars::kDigit, 50, 0, "age_secret_key"},
    {"tskey-", chars::kUrlSafe, 20, 0, "tailscale_key"},
    {"pscale_tkn_", chars::kUrlSafe, 32, 0, "planetscale_token"},
    {"pscale_pw_", chars::kUrlSafe, 32, 0, "planetscale_token"},
    {"gsk_", chars::kAlnum, 40, 0, "groq_key"},
    {"sbp_", chars::kHexLower, 40, 0, "supabase_token"},
    {"ABSKQmVkcm9ja", chars::kAlnum | chars::kBase64, 60, 0, "aws_bedrock_key"},
    {"glft-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glimt-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"glffct-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"1//0", chars::kUrlSafe, 60, 0, "google_refresh_token"},
    {":APA91b", chars::kUrlSafe, 100, 0, "firebase_key", 0, chars::kUrlSafe, 8, 40},
    {"xai-", chars::kAlnum, 70, 0, "xai_key"},
    {"pplx-", chars::kAlnum, 40, 0, "perplexity_key"},
    {"r8_", chars::kAlnum, 37, 40, "replicate_token"},
    {"oy2", chars::kLower | chars::kDigit, 43, 43, "nuget_key"},
    {"cio", chars::kAlnum, 32, 32, "crates_token"},
    {"dckr_oat_", chars::kUrlSafe, 20, 0, "docker_token"},
    {"AKCp", chars::kAlnum, 60, 0, "artifactory_token"},
    {"cmVmdGtuOj", chars::kAlnum | chars::kBase64, 40, 0, "artifactory_token"},
    {"xkeysib-", chars::kHexLower | chars::kAlnum | chars::kDash, 70, 0, "brevo_key"},
    {"-us", chars::kDigit, 1, 2, "mailchimp_key", 0, chars::kHexLower, 32, 32},
    {"EAAA", chars::kUrlSafe, 56, 70, "square_token"},
    {"access_token$production$", chars::kAlnum | chars::kDollar, 40, 0, "paypal_token"},
    {"access_token$sandbox$", chars::kAlnum | chars::kDollar, 40, 0, "paypal_token"},
    {"access-sandbox-", chars::kHexLower | chars::kDash, 36, 36, "plaid_token", 7},
    {"access-production-", chars::kHexLower | chars::kDash, 36, 36, "plaid_token", 7},
    {"access-development-", chars::kHexLower | chars::kDash, 36, 36, "plaid_token", 7},
    {"HRKU-", chars::kUrlSafe, 36, 0, "heroku_key"},
    {"fo1_", chars::kUrlSafe, 40, 0, "fly_token"},
    {"fm2_", chars::kAlnum | chars::kBase64, 60, 0, "fly_token"},
    {"nfp_", chars::kAlnum, 36, 0, "netlify_token"},
    {"rnd_", chars::kAlnum, 28, 40, "render_key"},
    {"v1.0-", chars::kHexLower | chars::kDash, 150, 0, "cloudflare_key"},
    {"8Q~", chars::kUrlSafe | chars::kDot | chars::kTilde, 31, 34, "azure_client_secret", 0,
     chars::kUrlSafe | chars::kDot | chars::kTilde, 3, 3},
    {"7Q~", chars::kUrlSafe | chars::kDot | chars::kTilde, 31, 34, "azure_client_secret", 0,
     chars::kUrlSafe | chars::kDot | chars::kTilde, 3, 3},
    {"LTAI", chars::kAlnum, 12, 26, "alibaba_key_id"},
    {"AKID", chars::kAlnum, 32, 36, "tencent_key_id"},
    {".atlasv1.", chars::kUrlSafe, 60, 0, "terraform_token", 0, chars::kAlnum, 14, 14},
    {"dp.st.", chars::kUrlSafe | chars::kDot, 40, 0, "doppler_token"},
    {"dp.pt.", chars::kAlnum, 40, 0, "doppler_token"},
    {"dp.sa.", chars::kAlnum, 40, 0, "doppler_token"},
    {"dp.ct.", chars::kAlnum, 40, 0, "doppler_token"},
    {"dp.scim.", chars::kAlnum, 40, 0, "doppler_token"},
    {"ops_eyJ", chars::kAlnum | chars::kBase64 | chars::kUrlSafe, 100, 0, "onepassword_token"},
    {"dt0c01.", chars::kUpper | chars::kDigit | chars::kDot, 80, 0, "dynatrace_token"},
    {"NRJS-", chars::kHexLower, 19, 19, "newrelic_key"},
    {"NRII-", chars::kUrlSafe, 32, 32, "newrelic_key"},
    {"sntryu_", chars::kHexLower, 64, 64, "sentry_token"},
    {"ntn_", chars::kAlnum, 40, 50, "notion_token"},
    {"figd_", chars::kUrlSafe, 36, 0, "figma_token"},
    {"sl.", chars::kUrlSafe, 130, 0, "dropbox_token"},
    {"CFPAT-", chars::kUrlSafe, 43, 43, "contentful_token"},
    {"CCIPAT_", chars::kWord, 60, 0, "circleci_token"},
    {"bkua_", chars::kHexLower, 40, 40, "buildkite_token"},
    {"sgp_", chars::kWord, 40, 0, "sourcegraph_token"},
    {"ATBB", chars::kAlnum, 28, 40, "bitbucket_token"},
    {"sb_secret_", chars::kUrlSafe, 30, 0, "supabase_token", 3},
    {"EZAK", chars::kAlnum, 54, 54, "easypost_key"},
    {"EZTK", chars::kAlnum, 54, 54, "easypost_key"},
    {"pnu_", chars::kAlnum, 36, 36, "prefect_key"},
    {"rdme_", chars::kLower | chars::kDigit, 70, 70, "readme_key"},
    {"tfp_", chars::kUrlSafe, 50, 0, "typeform_token"},
    {"duffel_live_", chars::kUrlSafe, 40, 0, "duffel_token"},
    {"duffel_test_", chars::kUrlSafe, 40, 0, "duffel_token"},
    {"squ_", chars::kHexLower, 40, 40, "sonar_token"},
    {"sqp_", chars::kHexLower, 40, 40, "sonar_token"},
    {"sqa_", chars::kHexLower, 40, 40, "sonar_token"},
    {"hcaik_", chars::kLower | chars::kDigit, 58, 58, "honeycomb_key"},
    {"hcxik_", chars::kLower | chars::kDigit, 58, 58, "honeycomb_key"},
    {"pat-na1-", chars::kHexLower | chars::kDash, 36, 36, "hubspot_token"},
    {"pat-eu1-", chars::kHexLower | chars::kDash, 36, 36, "hubspot_token"},
    {"lsv2_pt_", chars::kHexLower | chars::kUnderscore, 43, 43, "langsmith_key"},
    {"lsv2_sk_", chars::kHexLower | chars::kUnderscore, 43, 43, "langsmith_key"},
    {"EAA", chars::kAlnum, 100, 0, "facebook_token"},
    {"GR1348941", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"gloas-", chars::kUrlSafe, 20, 0, "gitlab_token"},
    {"CLOJARS_", chars::kLower | chars::kDigit, 60, 60, "clojars_token"},
    {"SWMTKN-1-", chars::kLower | chars::kDigit | chars::kDash, 70, 80, "swarm_token"},
    {"syt_", chars::kWord, 28, 0, "matrix_token"},
    {"live_", chars::kAlnum, 30, 30, "mollie_key", 1},
    {"xsmtpsib-", chars::kAlnum | chars::kDash, 70, 0, "brevo_key"},
    {"FLWSECK-", chars::kAlnum | chars::kDash, 32, 0, "flutterwave_key"},
    {"FLWSECK_TEST-", chars::kAlnum | chars::kDash, 32, 0, "flutterwave_key"},
    {"CCIPRJ_", chars::kWord, 60, 0, "circleci_token"},
    {"hvr.", chars::kUrlSafe, 24, 0, "vault_token"},
    {"nvapi-", chars::kUrlSafe, 60, 70, "nvidia_key"},
    {"y0_AgAAAA", chars::kUrlSafe, 40, 0, "yandex_token"},
    {"AQVN", chars::kUrlSafe, 35, 38, "yandex_key"},
    {"SCRAM-SHA-256$", chars::kAlnum | chars::kBase64 | chars::kDollar | chars::kColon, 80, 0,
     "password_hash"},
    {"pbkdf2_sha256$", chars::kAlnum | chars::kBase64 | chars::kDollar, 50, 0, "password_hash"},
    {"NRAL", 0, 0, 0, "newrelic_key", 0, chars::kHexLower, 36, 36},
    // Our own: format_token() and format_api_key(); the login text has a matcher.
    {"oai1.", chars::kUrlSafe | chars::kDot, 40, 0, "observeai_enroll_token"},
    {"oak1_", chars::kUrlSafe, 44, 0, "observeai_api_key"},
});

constexpr std::string_view kFourth = "abcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

void add_token_anchors(SecretPrefilter& filter, std::uint16_t first_tag) {
  for (std::size_t i = 0; i < kTokens.size(); ++i) {
    const auto tag = static_cast<std::uint16_t>(first_tag + i);
    const auto piece = kTokens[i].piece.substr(kTokens[i].anchor);
    if (piece.size() >= SecretPrefilter::kAnchorBytes) {
      filter.add(piece, tag);
      continue;
    }
    for (const char c : kFourth) filter.add(std::string(piece) + c, tag);
    if (is('.', kTokens[i].body)) filter.add(std::string(piece) + '.', tag);
    if (is('~', kTokens[i].body)) filter.add(std::string(piece) + '~', tag);
  }
}

SecretSpan match_token(std::size_t number, std::string_view text, std::size_t at) {
  const auto& shape = kTokens[number];
  if (at < shape.anchor || at >= text.size()) return {};
  const auto piece = at - shape.anchor;
  if (text.compare(piece, shape.piece.size(), shape.piece) != 0) return {};
  auto begin = piece;
  while (begin > 0 && piece - begin < shape.max_before && is(text[begin - 1], shape.before))
    --begin;
  if (piece - begin < shape.min_before) return {};
  // Part of a longer word: nothing of ours. A literal "\n" or "\u5bc6" before it is no letter.
  const bool after_escape =
      begin > 1 && (text[begin - 2] == '\\' || (begin > 5 && text.substr(begin - 6, 2) == "\\u"));
  if (begin > 0 && is(text[begin - 1], chars::kWord) && !after_escape) return {};
  const auto body = piece + shape.piece.size();
  const auto end = run_end(text, body, shape.body);
  if (end - body < shape.min || (shape.max != 0 && end - body > shape.max)) return {};
  return {begin, end, shape.kind, false};
}

SecretSpan token_at(std::string_view text, std::size_t begin) {
  for (std::size_t i = 0; i < kTokens.size(); ++i) {
    if (kTokens[i].max_before != 0) continue;
    if (const auto token = match_token(i, text, begin + kTokens[i].anchor)) return token;
  }
  return {};
}

}  // namespace observeai::agent
