# A cache that grows to 16 MiB and is flushed: a saw-tooth in its memory.
while true; do
  size=0
  block=
  while [ $size -lt 16 ]; do
    size=$((size + 1))
    block="$block$(head -c 1048576 /dev/zero | tr '\0' x)"
    echo "cache holds $size MiB"
    sleep 3
  done
  echo "cache flushed"
done
