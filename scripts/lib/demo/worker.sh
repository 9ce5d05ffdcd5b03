# A job worker: bursts of CPU, a log line for each job, a password that must never leave the host.
job=0
echo "worker starting, connecting to postgres://worker:s3cr3t-demo@db:5432/jobs"
while true; do
  job=$((job + 1))
  i=0
  while [ $i -lt 20000 ]; do i=$((i + 1)); done
  echo "job $job done, $i rows"
  sleep 2
done
