"""What secrets look like: the published forms of tokens, drawn at random. No value here was ever issued."""
import base64
import json

UPPER, LOWER, DIGIT = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
ALNUM, HEX = UPPER + LOWER + DIGIT, DIGIT + "abcdef"
BASE64, URLSAFE, WORD = ALNUM + "+/", ALNUM + "-_", ALNUM + "_"
BASE32 = UPPER + "234567"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
CLASSES = {"a": ALNUM, "h": HEX, "u": UPPER + DIGIT, "d": DIGIT, "s": URLSAFE, "b": BASE64, "w": WORD, "l": LOWER + DIGIT,
           "3": BASE32, "c": BECH32}


class Draw:
    """SplitMix64: the same numbers on every machine and in every Python."""

    def __init__(self, seed: int):
        self.state = seed

    def number(self, below: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & (1 << 64) - 1
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
        z = (z ^ z >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
        return (z ^ z >> 31) % below

    def between(self, low: int, high: int) -> int:
        return low + self.number(high - low + 1)

    def of(self, things):
        return things[self.number(len(things))]

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self.of(alphabet) for _ in range(length))

    def shaped(self, shape: str) -> str:
        """"ghp_<a36>": literal text, and runs <class count> or <class low-high>."""
        out, rest = "", shape
        while "<" in rest:
            literal, rest = rest.split("<", 1)
            run, rest = rest.split(">", 1)
            low, _, high = run[1:].partition("-")
            out += literal + self.text(CLASSES[run[0]], self.between(int(low), int(high or low)))
        return out + rest


def uuid(draw: Draw) -> str:
    return draw.shaped("<h8>-<h4>-4<h3>-a<h3>-<h12>")


def jwt(draw: Draw) -> str:
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
    header = {"alg": draw.of(["HS256", "RS256", "ES256"]), "typ": "JWT"} if draw.number(2) else {"kid": draw.shaped("<a8>"), "alg": "RS256"}
    payload = {"sub": draw.shaped("<d10>"), "iss": "https://idp.example.com", "exp": 1795247100 + draw.number(10**6)}
    return f"{part(header)}.{part(payload)}.{draw.shaped('<s43-86>')}"


def pem(draw: Draw, title: str, newline: str) -> str:
    lines = [draw.shaped("<b64>") for _ in range(draw.between(3, 12))] + [draw.shaped("<b20-60>") + "=="]
    return newline.join([f"-----BEGIN {title}-----", *lines, f"-----END {title}-----"])


def card(draw: Draw) -> str:
    prefix, length = draw.of([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16),
                              ("3530", 16), ("36", 14), ("62", 16)])
    body = prefix + draw.text(DIGIT, length - len(prefix) - 1)
    total = 0
    for i, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if i % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    number = body + str(-total % 10)
    style = draw.number(3)
    if style == 0 or length == 14:
        return number
    joint = " " if style == 1 else "-"
    if length == 15:
        return joint.join([number[:4], number[4:10], number[10:]])
    return joint.join(number[i:i + 4] for i in range(0, 16, 4))


def iban(draw: Draw) -> str:
    country, length = draw.of([("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("CH", 21), ("ES", 24)])
    bban = {"GB": draw.text(UPPER, 4), "NL": draw.text(UPPER, 4)}.get(country, "")
    bban += draw.text(DIGIT, length - 4 - len(bban))
    number = int("".join(str(int(c, 36)) for c in bban + country + "00"))
    whole = f"{country}{98 - number % 97:02d}{bban}"
    return " ".join(whole[i:i + 4] for i in range(0, length, 4)) if draw.number(2) else whole


def password(draw: Draw) -> str:
    """What people and password managers choose."""
    words = ["correct", "Horse", "battery", "sunshine", "Dragon", "hunter", "winter", "Monkey", "letme", "shadow", "Tiger", "coffee"]
    style = draw.number(6)
    if style == 0:
        return draw.of(words).capitalize() + draw.shaped("<d2-4>") + draw.of(["!", "#", "$", "."])
    if style == 1:
        return draw.shaped("<a12-20>")
    if style == 2:
        return draw.of(words) + draw.of(["_", "-", ""]) + draw.of(words) + draw.shaped("<d1-3>")
    if style == 3:
        return draw.shaped("<a4>") + draw.of("!@#%^*+") + draw.shaped("<a6>") + draw.of("!#%^*") + draw.shaped("<a3>")
    if style == 4:
        return draw.shaped("<b22>") + "=="
    return draw.shaped("<h32>")


def randomish(draw: Draw) -> str:
    """Values of secrets that have a name but no form of their own."""
    return draw.shaped(draw.of(["<h32>", "<h40>", "<a32>", "<s43>", "<b43>=", "<a24>", "<s22>", "<h64>"]))


# kind: shapes. A kind is what the redactor calls the find.
TOKENS = {
    "aws_access_key_id": ["AKIA<316>", "ASIA<316>"],
    "aws_session_token": ["IQoJb3JpZ2luX2Vj<b300>==", "FwoGZXIvYXdzE<b200>"],
    "aws_bedrock_key": ["ABSKQmVkcm9ja0FQSUtleS<b110>="],
    "github_token": ["ghp_<a36>", "gho_<a36>", "ghs_<a36>", "ghu_<a36>", "ghr_<a36>", "github_pat_<a22>_<a59>"],
    "gitlab_token": ["glpat-<s20>", "glrt-<s20>", "gldt-<s20>", "glcbt-<h2>_<s20>", "glptt-<h40>", "glft-<s20>", "glimt-<s25>"],
    "slack_token": ["xoxb-<d12>-<d12>-<a24>", "xoxp-<d12>-<d12>-<d12>-<h32>", "xapp-1-A<u10>-<d13>-<h64>", "xoxe.xoxp-1-<a160>"],
    "slack_webhook": ["https://hooks.slack.com/services/T<u8>/B<u10>/<a24>"],
    "stripe_key": ["sk_live_<a24>", "sk_test_<a24>", "rk_live_<a24>", "sk_live_51<a97>"],
    "stripe_webhook_secret": ["whsec_<a32>"],
    "google_api_key": ["AIza<s35>"],
    "google_oauth_token": ["ya29.a0<s60-160>"],
    "google_refresh_token": ["1//0<d1><s90>"],
    "google_client_secret": ["GOCSPX-<s28>"],
    "firebase_key": ["AAAA<s7>:APA91b<s134>"],
    "openai_key": ["sk-<a20>T3BlbkFJ<a20>", "sk-proj-<s120>", "sk-ant-api03-<s93>AA", "sk-or-v1-<h64>"],
    "xai_key": ["xai-<a80>"],
    "perplexity_key": ["pplx-<a48>"],
    "replicate_token": ["r8_<a37>"],
    "groq_key": ["gsk_<a52>"],
    "huggingface_token": ["hf_<a34>"],
    "npm_token": ["npm_<a36>"],
    "pypi_token": ["pypi-AgEIcHlwaS5vcmc<s150>"],
    "rubygems_token": ["rubygems_<h48>"],
    "nuget_key": ["oy2<l43>"],
    "crates_token": ["cio<a32>"],
    "docker_token": ["dckr_pat_<s27>", "dckr_oat_<s32>"],
    "artifactory_token": ["AKCp8<a64>", "cmVmdGtuOjAxOj<a50>"],
    "sendgrid_key": ["SG.<s22>.<s43>"],
    "brevo_key": ["xkeysib-<h64>-<a16>"],
    "mailgun_key": ["key-<h32>", "<h32>-<h8>-<h8>"],
    "mailchimp_key": ["<h32>-us<d1>", "<h32>-us1<d1>"],
    "twilio_key": ["SK<h32>"],
    "telegram_token": ["<d9>:AA<s33>", "<d10>:AA<s33>"],
    "discord_webhook": ["https://discord.com/api/webhooks/<d18>/<s68>"],
    "discord_token": ["M<a23>.G<a5>.<s38>", "N<a25>.X<a5>.<s27>"],
    "teams_webhook": ["https://acme.webhook.office.com/webhookb2/<h8>-<h4>-<h4>-<h4>-<h12>@<h8>-<h4>-<h4>-<h4>-<h12>/IncomingWebhook/<h32>/<h8>-<h4>-<h4>-<h4>-<h12>"],
    "shopify_token": ["shpat_<h32>", "shpss_<h32>", "shpca_<h32>", "shppa_<h32>"],
    "square_token": ["sq0atp-<s22>", "sq0csp-<s43>", "EAAA<s60>"],
    "paypal_token": ["access_token$production$<l16>$<h32>"],
    "plaid_token": ["access-sandbox-<h8>-<h4>-<h4>-<h4>-<h12>", "access-production-<h8>-<h4>-<h4>-<h4>-<h12>"],
    "digitalocean_token": ["dop_v1_<h64>", "doo_v1_<h64>", "dor_v1_<h64>"],
    "heroku_key": ["HRKU-AA<s58>"],
    "fly_token": ["fo1_<s43>", "FlyV1 fm2_<b120>"],
    "netlify_token": ["nfp_<a40>"],
    "render_key": ["rnd_<a32>"],
    "cloudflare_key": ["v1.0-<h24>-<h146>"],
    "azure_client_secret": ["<a3>8Q~<s34>", "<a3>7Q~<s31>"],
    "azure_signature": ["https://acct.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sig=<a43>%3D&se=2027-01-01"],
    "alibaba_key_id": ["LTAI<a20>"],
    "tencent_key_id": ["AKID<a32>"],
    "vault_token": ["hvs.<s90>", "hvb.<s138>", "hvs.CAES<s80>"],
    "terraform_token": ["<a14>.atlasv1.<s67>"],
    "doppler_token": ["dp.st.prd.<a43>", "dp.pt.<a43>"],
    "onepassword_token": ["ops_eyJ<b250>"],
    "age_secret_key": ["AGE-SECRET-KEY-1<c58>"],
    "databricks_token": ["dapi<h32>", "dapi<h32>-2"],
    "dynatrace_token": ["dt0c01.<u24>.<u64>"],
    "newrelic_key": ["NRAK-<u27>", "NRJS-<h19>"],
    "sentry_token": ["sntrys_<b120>", "sntryu_<h64>"],
    "grafana_token": ["glsa_<a32>_<h8>", "glc_eyJ<b80>"],
    "postman_key": ["PMAK-<h24>-<h34>"],
    "linear_key": ["lin_api_<a40>"],
    "notion_token": ["ntn_<d11><a35>"],
    "figma_token": ["figd_<s40>"],
    "airtable_token": ["pat<a14>.<h64>"],
    "dropbox_token": ["sl.<s140>"],
    "contentful_token": ["CFPAT-<s43>"],
    "pulumi_token": ["pul-<h40>"],
    "circleci_token": ["CCIPAT_<a22>_<h40>"],
    "buildkite_token": ["bkua_<h40>"],
    "sourcegraph_token": ["sgp_<h16>_<h40>"],
    "atlassian_token": ["ATATT3xFfGF0<s170>=<u8>"],
    "bitbucket_token": ["ATBB<a32>"],
    "tailscale_key": ["tskey-auth-<a16>-<a32>", "tskey-api-<a12>-<a32>"],
    "planetscale_token": ["pscale_tkn_<s43>", "pscale_pw_<s43>"],
    "supabase_token": ["sbp_<h40>", "sb_secret_<s31>"],
    "easypost_key": ["EZAK<a54>", "EZTK<a54>"],
    "prefect_key": ["pnu_<a36>"],
    "readme_key": ["rdme_<l70>"],
    "typeform_token": ["tfp_<s59>"],
    "duffel_token": ["duffel_live_<s43>"],
    "observeai_enroll_token": ["oai1.<h8>.<s43>.<s43>.<s43>"],
    "observeai_api_key": ["oak1_<s54>"],
}
