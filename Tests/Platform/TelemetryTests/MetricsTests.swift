import Telemetry
import Testing

@Suite("Metrics")
struct MetricsTests {
  @Test("the Prometheus page, to the byte")
  func prometheus() {
    let metrics = Metrics()
    metrics.counter("jobs_total", help: "Jobs that ran.", labels: ["job"]).add(3, ["escalation"])
    metrics.gauge("depth", help: "How deep.").set(-1.5)
    let times = metrics.histogram("wait_seconds", help: "Waiting.", buckets: [0.1, 1])
    times.observe(0.1)
    times.observe(0.5)
    times.observe(7)
    #expect(
      String(decoding: metrics.render(.prometheus), as: UTF8.self) == """
        # HELP metrics_label_sets_dropped_total Label sets beyond the bound, counted under other.
        # TYPE metrics_label_sets_dropped_total counter
        # HELP jobs_total Jobs that ran.
        # TYPE jobs_total counter
        jobs_total{job="escalation"} 3
        # HELP depth How deep.
        # TYPE depth gauge
        depth -1.5
        # HELP wait_seconds Waiting.
        # TYPE wait_seconds histogram
        wait_seconds_bucket{le="0.1"} 1
        wait_seconds_bucket{le="1.0"} 2
        wait_seconds_bucket{le="+Inf"} 3
        wait_seconds_sum 7.6
        wait_seconds_count 3

        """)
  }

  @Test("OpenMetrics names a counter's family without _total and ends with EOF")
  func openMetrics() throws {
    let metrics = Metrics()
    metrics.counter("jobs_total", help: "The \"jobs\".").add(2)
    let page = try Page(metrics.render(.openMetrics), openMetrics: true)
    #expect(page["jobs"]?.kind == "counter")
    #expect(page["jobs"]?.help == #"The \"jobs\"."#)
    #expect(page.value("jobs_total") == 2)
  }

  @Test(
    "label values come back as they were",
    arguments: ["plain", "a\"b", "a\\b", "a\nb", #"\n"#, "é🧊", "", "{},= #"])
  func labels(value: String) throws {
    let metrics = Metrics()
    metrics.gauge("g", help: "multi\nline \\ help", labels: ["first", "second"]).set(1, [value, "x"])
    for openMetrics in [false, true] {
      let page = try Page(metrics.render(openMetrics ? .openMetrics : .prometheus), openMetrics: openMetrics)
      #expect(page.value("g", ["first": value, "second": "x"]) == 1)
      #expect(page["g"]?.help == #"multi\nline \\ help"#)
    }
  }

  @Test("label sets beyond the bound share one series, and are counted")
  func bound() throws {
    let metrics = Metrics()
    let counter = metrics.counter("hits_total", help: "Hits.", labels: ["path"], limit: 3)
    for path in 0..<10 { counter.add(1, ["/\(path)"]) }
    counter.add(1, ["/0"])
    let page = try Page(metrics.render(.prometheus), openMetrics: false)
    #expect(page["hits_total"]?.samples.count == 4)
    #expect(page.value("hits_total", ["path": "/0"]) == 2)
    #expect(page.value("hits_total", ["path": "other"]) == 7)
    #expect(page.value("metrics_label_sets_dropped_total", ["metric": "hits_total"]) == 7)
  }

  @Test("a family registered twice is one family")
  func twice() throws {
    let metrics = Metrics()
    metrics.counter("a_total", help: "A.").add(1)
    metrics.counter("a_total", help: "A.").add(1)
    #expect(try Page(metrics.render(.prometheus), openMetrics: false).value("a_total") == 2)
  }

  @Test("figures that are read when asked show the value of that moment")
  func observed() throws {
    let metrics = Metrics()
    metrics.gauge("now", help: "Now.") { 0.25 }
    metrics.observed("seen_total", help: "Seen.", kind: .counter, labels: ["kind"]) { [(["a"], 1.5), (["b"], 1e21)] }
    let page = try Page(metrics.render(.openMetrics), openMetrics: true)
    #expect(page.value("now") == 0.25)
    #expect(page.value("seen_total", ["kind": "a"]) == 1.5)
    #expect(page.value("seen_total", ["kind": "b"]) == 1e21)
  }

  @Test("what is not finite has the names that scrapers know")
  func notFinite() throws {
    let metrics = Metrics()
    let gauge = metrics.gauge("g", help: "G.", labels: ["v"])
    gauge.set(.nan, ["nan"])
    gauge.set(.infinity, ["up"])
    gauge.set(-.infinity, ["down"])
    let page = try Page(metrics.render(.prometheus), openMetrics: false)
    #expect(page.value("g", ["v": "nan"])?.isNaN == true)
    #expect(page.value("g", ["v": "up"]) == .infinity)
    #expect(page.value("g", ["v": "down"]) == -.infinity)
  }

  @Test("no count is lost between threads")
  func threads() async throws {
    let metrics = Metrics()
    let counter = metrics.counter("c_total", help: "C.").handle()
    let gauge = metrics.gauge("g", help: "G.").handle()
    let histogram = metrics.histogram("h", help: "H.", buckets: [1]).handle()
    let labelled = metrics.counter("l_total", help: "L.", labels: ["n"])
    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          for number in 0..<10_000 {
            counter.add()
            gauge.add(1)
            histogram.observe(Double(number % 2 * 2))
            labelled.add(1, ["\(number % 4)"])
          }
        }
      }
    }
    let page = try Page(metrics.render(.prometheus), openMetrics: false)
    #expect(page.value("c_total") == 40_000)
    #expect(page.value("g") == 40_000)
    #expect(page.value("h_bucket", ["le": "1.0"]) == 20_000)
    #expect(page.value("h_count") == 40_000)
    #expect(page.value("h_sum") == 40_000)
    for number in 0..<4 { #expect(page.value("l_total", ["n": "\(number)"]) == 10_000) }
  }

  @Test("the process reports believable figures")
  func process() throws {
    let metrics = Metrics()
    metrics.registerProcess()
    let page = try Page(metrics.render(.openMetrics), openMetrics: true)
    #expect(try #require(page.value("process_resident_memory_bytes")) > 1_048_576)
    #expect(try #require(page.value("process_open_fds")) >= 3)
    #expect(try #require(page.value("process_max_fds")) >= 64)
    #expect(try #require(page.value("process_cpu_seconds_total")) > 0)
    #expect(try #require(page.value("process_start_time_seconds")) > 1_700_000_000)
  }

  @Test("a value that is not a number is left out of a histogram; one on a bound is below it")
  func histogramEdges() throws {
    let metrics = Metrics()
    let histogram = metrics.histogram("h", help: "H.", buckets: [1, 2]).handle()
    histogram.observe(.nan)
    histogram.observe(1)
    histogram.observe(.milliseconds(1500))
    histogram.observe(from: 1_000_000_000, to: 4_000_000_000)
    let page = try Page(metrics.render(.prometheus), openMetrics: false)
    #expect(page.value("h_bucket", ["le": "1.0"]) == 1)
    #expect(page.value("h_bucket", ["le": "2.0"]) == 2)
    #expect(page.value("h_count") == 3)
    #expect(page.value("h_sum") == 5.5)
  }
}
