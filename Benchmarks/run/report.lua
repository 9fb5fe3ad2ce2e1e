-- What wrk counted, in a form that is easy to read by program.
function done(summary, latency)
  local errors = summary.errors
  print("requests=" .. summary.requests)
  print("seconds=" .. summary.duration / 1e6)
  print("failed=" .. errors.connect + errors.read + errors.write + errors.status + errors.timeout)
  for name, share in pairs({p50 = 50, p90 = 90, p99 = 99, p999 = 99.9}) do
    print(name .. "=" .. latency:percentile(share) / 1000)
  end
end
