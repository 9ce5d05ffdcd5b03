# A web server that logs a request every half second, and now and then a slow one to stderr.
mkdir -p /tmp/www 2>/dev/null
n=0
while true; do
  n=$((n + 1))
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) GET /items/$((n % 17)) 200 $((n % 40 + 3))ms client=10.0.0.$((n % 250))"
  [ $((n % 20)) -eq 0 ] && echo "warning: slow request /items/$((n % 17)) took 812ms" >&2
  sleep 0.5
done
