import BindRules
import SocketModel
import Testing

@Suite("A bind bucket that was read")
struct BindBucketTests {
  static func bucket(
    _ fastReuseport: BindBucket.FastReuseport?, _ address: String = "0.0.0.0", uid: UInt32 = 1000,
    v6only: Bool = false, fastReuse: Bool = false, domain: UInt32 = 0
  ) -> BindBucket {
    let address = IPAddress(address) ?? .v4(.any)
    let (v6, v4): (IPv6Address, IPv4Address) =
      switch address {
      case .v4(let v4): (IPv6Address(mapping: v4), v4)
      case .v6(let v6): (v6, v6.mapped ?? .any)
      }
    return BindBucket(
      port: port, layer3Domain: InterfaceIndex(kernel: domain), fastReuse: fastReuse, fastReuseport: fastReuseport,
      fastUID: uid, fastFamily: address.family, fastAddress: v6, fastAddress4: v4, fastIPv6only: v6only)
  }

  static func line(_ planned: String, _ existing: String, _ bucket: BindBucket, minor: Int = 18) -> String {
    let snapshot = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: minor)), sockets: [socket(existing)], buckets: [bucket])
    return outcomes(of: attempt(planned), in: snapshot).map { outcome in
      switch (outcome.bind, outcome.listen) {
      case (.ok, .fails): "+in-use"
      case (.ok, _): "ok"
      case (.fails, _): "in-use"
      case (.undetermined, _): "?"
      }
    }.joined(separator: " ")
  }

  @Test("settles what only the order of earlier binds would: nobody passes an empty one")
  func empty() {
    #expect(Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(nil)) == "in-use in-use in-use in-use")
  }

  @Test("lets SO_REUSEPORT sockets of the remembered user and address pass, listen() too")
  func remembered() {
    #expect(Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(.strict)) == "in-use in-use ok ok")
    #expect(Self.line("127.0.0.1", "LISTEN 0.0.0.0", Self.bucket(.strict)) == "in-use in-use ok ok")
    #expect(
      Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(.strict, "127.0.0.1")) == "in-use in-use in-use in-use")
    #expect(Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(.any, "127.0.0.1")) == "in-use in-use ok ok")
    #expect(
      Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(.strict, uid: 5)) == "in-use in-use in-use in-use")
  }

  @Test("covers across the families as ipv6_rcv_saddr_equal does")
  func families() {
    #expect(Self.line("127.0.0.1", "LISTEN 0.0.0.0", Self.bucket(.strict, "::")) == "in-use in-use ok ok")
    #expect(
      Self.line("127.0.0.1", "LISTEN 0.0.0.0", Self.bucket(.strict, "::", v6only: true))
        == "in-use in-use in-use in-use")
    #expect(Self.line("::", "LISTEN 0.0.0.0", Self.bucket(.strict, "::", v6only: true)) == "in-use in-use ok ok")
    // What is remembered covers: a wildcard every address, an address no wildcard.
    for (remembered, planned, existing, passes) in [
      ("::1", "::", "LISTEN ::", false), ("::1", "::1", "LISTEN ::", true), ("::2", "::1", "LISTEN ::", false),
      ("::ffff:127.0.0.1", "127.0.0.1", "LISTEN 0.0.0.0", true),
      ("::ffff:127.0.0.1", "0.0.0.0", "LISTEN 0.0.0.0", false),
      ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "LISTEN 0.0.0.0", false),
      ("127.0.0.1", "::ffff:127.0.0.1", "LISTEN 0.0.0.0", true), ("0.0.0.0", "::1", "LISTEN ::1", false),
    ] {
      let said = Self.line(planned, existing, Self.bucket(.strict, remembered))
      #expect(said == (passes ? "in-use in-use ok ok" : "in-use in-use in-use in-use"), "\(remembered), \(planned)")
    }
    #expect(Self.line(":: V6ONLY", "LISTEN ::", Self.bucket(.strict, "0.0.0.0")) == "in-use in-use in-use in-use")
  }

  @Test("of another layer-3 domain says nothing")
  func otherDomain() {
    #expect(Self.line("0.0.0.0", "LISTEN 0.0.0.0", Self.bucket(.any, domain: 9)) == "in-use in-use ? ?")
  }

  @Test("with fastreuse lets SO_REUSEADDR pass at bind(), but not at listen()")
  func fastReuse() {
    let bucket = Self.bucket(nil, fastReuse: true)
    #expect(Self.line("0.0.0.0", "BOUND 0.0.0.0", bucket, minor: 1) == "in-use +in-use in-use ok")
    #expect(Self.line("0.0.0.0", "BOUND 0.0.0.0", Self.bucket(nil), minor: 1) == "in-use in-use in-use in-use")
  }

  @Test("with fastreuse leaves listen() open beside a socket whose options are not known, and says which")
  func fastReuseBesideUnknown() {
    let snapshot = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: 1)), sockets: [socket("BOUND 0.0.0.0 ra?")],
      buckets: [Self.bucket(nil, fastReuse: true)])
    let outcome = outcomes(of: attempt("0.0.0.0"), in: snapshot)[1]
    #expect(outcome.bind == .ok && outcome.listen == .undetermined)
    #expect(outcome.blockers == [Blocker(socket: 0, rule: .tcpReuseaddr)])
    #expect(outcome.missing == [MissingFact(.reuseaddr, socket: 0)])
  }

  @Test("with fastreuse names who refuses at listen(), and nothing is missing")
  func fastReuseBesideListener() {
    let snapshot = Snapshot(
      host: openHost(kernel: KernelVersion(major: 6, minor: 1)),
      sockets: [socket("BOUND 0.0.0.0 ra?"), socket("LISTEN 127.0.0.1 RA")],
      buckets: [Self.bucket(nil, fastReuse: true)])
    let outcome = outcomes(of: attempt("0.0.0.0"), in: snapshot)[1]
    #expect(outcome.bind == .ok && outcome.listen == .fails(.addressInUse))
    #expect(outcome.blockers == [Blocker(socket: 1, rule: .tcpListener)] && outcome.missing.isEmpty)
  }
}
