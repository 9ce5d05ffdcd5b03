"""Where secrets stand in statements, commands, dumps, URLs and sentences, and harmless lines like them. {s} is the secret,
{b} its base64. Even places are for development, odd ones are held out, as in contexts.py."""

# Password
STATEMENT = [
    "CREATE USER 'app'@'%' IDENTIFIED BY '{s}'", "ALTER USER 'app'@'localhost' IDENTIFIED BY '{s}' PASSWORD EXPIRE NEVER",
    "CREATE USER app IDENTIFIED WITH caching_sha2_password BY '{s}'", "CREATE USER app IDENTIFIED WITH sha256_password BY '{s}'",
    "ALTER ROLE app WITH LOGIN PASSWORD '{s}'", "CREATE ROLE app LOGIN ENCRYPTED PASSWORD '{s}'",
    "LOG:  statement: CREATE USER app WITH PASSWORD '{s}' CREATEDB", "STATEMENT:  ALTER USER app PASSWORD E'{s}'",
    "CREATE LOGIN app WITH PASSWORD = N'{s}', CHECK_POLICY = ON", "ALTER LOGIN sa WITH PASSWORD = N'{s}'",
    "SET PASSWORD FOR 'app'@'%' = PASSWORD('{s}')", "GRANT ALL ON shop.* TO 'app'@'%' IDENTIFIED BY '{s}'",
    "INSERT INTO users (name, password, role) VALUES ('bob', '{s}', 'admin')",
    "INSERT INTO `accounts` (`id`,`mail`,`api_token`) VALUES (7,'bob@example.com','{s}')",
    "SELECT pgp_sym_encrypt('note', '{s}')", "SELECT aes_decrypt(blob, '{s}') FROM notes",
    "#0 /app/db.php(12): PDO->__construct('mysql:host=db', 'root', '{s}')", "#1 /app/db.php(9): mysqli_connect('db', 'root', '{s}', 'shop')",
]
COMMAND = [
    "sshpass -p {s} ssh deploy@web-3", "sshpass -p '{s}' scp dump.sql deploy@web-3:/srv", "mysql -h db -u root -p{s} shop",
    "mysqldump -uroot -p'{s}' shop", "redis-cli -h cache -a {s} ping", "redis-cli -a '{s}' info", "ldapsearch -x -D cn=admin -w {s} -b dc=x",
    "ldapmodify -D cn=admin -w '{s}' -f x.ldif", "docker login -u bob -p {s} registry.example.com", "podman login -p {s} -u bob quay.example.com",
    "mongodump -u admin -p {s} --db shop", "mongo -u admin -p {s} shop", "sqlcmd -S db -U sa -P {s} -Q 'select 1'", "bcp t out f -S db -U sa -P {s}",
    "rabbitmqctl add_user bob {s}", "rabbitmqctl change_password bob {s}", "htpasswd -b /etc/nginx/users bob {s}", "vault login {s}",
    "echo {s} | docker login -u bob --password-stdin", "echo 'bob:{s}' | chpasswd", "net use Z: \\\\files\\share /user:acme\\bob {s}",
    "xfreerdp /u:bob /p:{s} /v:host", "smbclient //files/share -U bob%{s}", "openssl rsa -in k.pem -passin pass:{s}",
    "aws configure set aws_secret_access_key {s}", "npm config set //registry.npmjs.org/:_authToken {s}", "curl -su 'bob:{s}' https://x.example.com",
    "zip -P {s} a.zip f",
]
DUMP = [
    "Array ( [user] => bob [DB_PASSWORD] => {s} [port] => 3306 )", "Array ( [host] => db [password] => {s} )",
    'array(2) {{ ["password"]=> string(12) "{s}" }}', 'array(1) {{ ["db_password"]=> string(9) "{s}" ["a"]=> int(1) }}',
    'a:2:{{s:8:"password";s:12:"{s}";s:1:"a";i:1;}}', 'O:6:"Config":1:{{s:11:"db_password";s:9:"{s}";}}',
    '<property name="password" value="{s}"/>', '<add key="DB_PASSWORD" value="{s}" />', "<property><name>fs.password</name><value>{s}</value></property>",
    "<key>password</key><string>{s}</string>", '<property name="db.password">{s}</property>', '<param name="smtp.password">{s}</param>',
    "headers=[(b'host', b'x'), (b'x-api-key', b'{s}')]", "{{'db_password': b'{s}', 'port': 1}}",
    'Config {{ user: "app", password: Some("{s}") }}', 'Auth {{ token: Secret("{s}") }}',
    '["/usr/bin/app", "--api-key", "{s}", "-v"]', "['app', '--db-password', '{s}']",
    "{{&quot;password&quot;:&quot;{s}&quot;}}", "{{&#34;client_secret&#34;:&#34;{s}&#34;}}",
    "{{\\u0022password\\u0022:\\u0022{s}\\u0022}}", "{{\\x22client_secret\\x22:\\x22{s}\\x22}}",
    "payload=%7B%22user%22%3A%22bob%22%2C%22password%22%3A%22{s}%22%7D", "next=%2Fcb%3Fu%253D1%2526client_secret%253D{s}%2526x%253D1",
    '--b\\r\\nContent-Disposition: form-data; name="password"\\r\\n\\r\\n{s}\\r\\n--b', 'Content-Disposition: form-data; name="api_key"\\r\\n\\r\\n{s}\\r\\n',
    "| db_password | {s} |", "client_secret          {s}", "“password”: “{s}”", "password：{s}",
]
# Drawn as 32 characters
PARAMETER = [
    "GET /callback?code={s}&state=x HTTP/1.1 302", "https://b.s3.amazonaws.com/k?X-Amz-Date=20261121&X-Amz-Signature={s}",
    "https://storage.googleapis.com/b/o?X-Goog-Expires=900&X-Goog-Signature={s}", "https://d1.cloudfront.net/v.mp4?Expires=1795247100&Signature={s}&Key-Pair-Id=K",
    "POST /saml?SAMLResponse={s}&RelayState=x", "GET /sso?ticket={s}&x=1", "GET /v1/places?key={s}&q=berlin", "GET /app?sid={s}&page=2",
    "https://idp.example.com/token?grant=jwt&assertion={s}", "GET /cb?x=1&code_verifier={s}",
]
SENTENCE = [
    "A temporary password is generated for root@localhost: {s}", "Password for the elastic user (reset with `bin/reset`): {s}",
    "login failed for bob with password '{s}'", 'Invalid password "{s}" for user bob', "using token {s} for auth", "token {s} has expired",
    "invalid api key {s}", "Your API key: {s}", "got access token {s} from idp", "Encryption key: {s}", "the password is: {s}", "AUTH default {s}",
    "Unseal Key 1: {s}", "generated new secret {s}",
]
FOREIGN = ["пароль: {s}", "Пароль={s} принят", "密码：{s}", "用户密码={s} 已更新", '{{"パスワード":"{s}"}}', "パスワード: {s}", "비밀번호: {s}", "contraseña: {s}",
           "hasło={s}", "lösenord: {s}", "passwort={s}", "Kennwort: {s}"]
URL_ESCAPED = ['{{"url":"postgres:\\/\\/app:{s}@db\\/shop"}}', '{{"dsn":"amqp:\\/\\/svc:{s}@mq:5672"}}',
               "url=postgres%3A%2F%2Fapp%3A{s}%40db%2Fshop", "redirect=redis%3a%2f%2fdefault%3a{s}%40cache"]
SCHEME = ["Authorization: GenieKey {s}", "authorization: Splunk {s}", "{{'Authorization': 'SSWS {s}'}}", "Authorization: Bot {s}"]
DIGEST = ['Authorization: Digest username="bob", realm="x", uri="/", response="{s}", qop=auth',
          "Proxy-Authorization: Digest username=\\\"bob\\\", nonce=\\\"1\\\", response=\\\"{s}\\\""]
CARD_CODE = ['"cvv":"{s}"', "cvc={s} exp=12/29", '{{"cvv2": "{s}"}}', "cvv: {s}"]
TOKENS = {
    "sonar_token": ["squ_<h40>", "sqp_<h40>"], "honeycomb_key": ["hcaik_<l58>"], "hubspot_token": ["pat-na1-<h8>-<h4>-<h4>-<h4>-<h12>"],
    "langsmith_key": ["lsv2_pt_<h32>_<h10>"], "facebook_token": ["EAAB<a150>"], "clojars_token": ["CLOJARS_<l60>"],
    "swarm_token": ["SWMTKN-1-<l50>-<l25>"], "matrix_token": ["syt_<a8>_<a20>_<a6>"], "mollie_key": ["live_<a30>"],
    "flutterwave_key": ["FLWSECK-<h32>-X"], "nvidia_key": ["nvapi-<s64>"], "yandex_token": ["y0_AgAAAA<s52>"],
}

CLEAN = [
    "public key: {b43}=", "wg peer {b43}= allowed ips 10.0.0.2/32", "github.com/acme/{l6} v1.2.{d1} h1:{b43}=", "ipfs Qm{a44}",
    "symbol _ZNSt6vectorIiSaIiEE17_M_realloc_insertIJRKiEEEvN9__gnu_cxx17{l6}EDpOT_", "GPU-{uuid} at 61 C", "ld: undefined _ZN5{l5}4{l4}17h{h16}E",
    "src: url('data:font/woff2;base64,/{b300}')", "background:url(data:image/png;base64,/{b200})", "loss=0.{d16} acc=0.{d16}", "mean 1.{d15} dev 0.{d16}",
    "EAN 4006381333931", "GTIN 4012345678901 in stock", "api_key=os.getenv(\"{l6}\")", "password = request.getParameter(\"password\");", "password = var.db_password",
    "this.accessToken=this.getToken(e.target.value)", "secret_key = data.vault_generic_secret.x.data", "token=self.lexer.next()",
    "password = %(password)s", "WHERE password = :password", "token={{}}", "secrets=[] tokens=[]", "+ password = (sensitive value)", "+ token = (known after apply)",
    "usage: app [--password PASSWORD] [--token TOKEN]", "  --token TOKEN   bearer", "Credentials=[PROTECTED], Authenticated=true", "GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/{l6}.json",
    "--from-file=password=./{l6}.txt", "credentials: ~/.aws/{l6}", "volume \"{l6}-secret\" : secret \"{l6}-secret\" not found",
    "MountVolume failed for \"{l5}-secret\" : secret \"x\" not found", "{{\"errors\":{{\"password\":[\"is too short (minimum is {d1} characters)\"]}}}}",
    "{{\"password\":[\"must contain a digit\"]}}", "{{\"type\":\"token\",\"value\":\"{l6}\"}}", "{{\"kind\":\"secret\",\"value\":\"{l6}\"}}",
    "Cookie: lang=en", "Set-Cookie: theme=dark; Path=/", "ssh -p {d4} bob@web-{d1}", "docker run -p {d4}:80 nginx", "mkdir -p /srv/{l6}/{l8}", "mysql -u root -p shop",
    "nc -w {d2} host {d4}", "tar -a -cf {l6}.tar x", "CREATE USER app IDENTIFIED BY ?", "ALTER ROLE app PASSWORD NULL", "ALTER TABLE users ADD COLUMN password varchar(255)",
    "INSERT INTO users (name, password) VALUES ($1, $2)", "INSERT INTO t (id, token_type) VALUES ({d3}, 'bearer')", "GET /cb?code={d3}&page={d2}", "GET /x?key={l6}&sort=asc",
    "password for bob: unchanged", "пароль изменён", "密码错误 {d3}", "authorization: none peer=10.0.0.{d2}:{d5}", "AUTH failed for bob from 10.0.0.{d2}", "AUTH SCRAM-SHA-256 selected",
    "Microsoft-Windows-Platform-Update-Win7-Package-TopLevel-{d4}", "otp={l6} cvv=none", "token generation {d2} of pass {d1}", "new session key {d3} of bob",
]
