import BindRules
import Explanation
import FixtureTestSupport
import SocketModel
import Testing

extension Runtime {
  /// All that its entry says.
  fileprivate var entry: String {
    func defaults(_ name: String, _ defaults: Defaults?) -> String? {
      defaults.map {
        let sets: [(Bool, String)] = [
          ($0.reuseaddr, "SO_REUSEADDR"), ($0.reuseport, "SO_REUSEPORT"), ($0.freebind, "IP_FREEBIND"),
        ]
        let addresses = $0.addresses?.map(\.description).joined(separator: " ") ?? "as told"
        return "\(name): \(sets.filter(\.0).map(\.1).joined(separator: " ")); IPV6_V6ONLY \($0.v6only); \(addresses)"
      }
    }
    let words: [(String, String?)] = [
      ("reuseaddr", settings.reuseaddr), ("reuseport", settings.reuseport), ("v6only", settings.v6only),
      ("freebind", settings.freebind), ("address", settings.address), ("remark", remark),
    ]
    var lines = [([name] + aliases).joined(separator: " "), "executables: " + executables.joined(separator: " ")]
    lines += [defaults("tcp", tcp), defaults("udp", udp)].compactMap(\.self)
    lines += words.compactMap { name, text in text.map { "\(name): \($0)" } }
    lines += ["\(evidence)", source]
    return lines.joined(separator: "\n  ") + "\n"
  }
}

private func listener(_ executable: String?, _ address: IPAddress, v6only: Bool? = nil) -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: address.family, local: Endpoint(address: address, port: Port(8080)), state: .listen,
    reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt),
    v6only: v6only.map { .known($0, .sockDiag) }, uid: 0, inode: 1, owner: .process,
    processes: [ProcessRecord(pid: 77, command: "x", executable: executable, descriptors: [3])])
}

private func closed(reuseaddr: Bool?) -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.loopback), port: Port(8080)),
    remote: Endpoint(address: .v4(.loopback), port: Port(40000)), state: .timeWait,
    reuseaddr: reuseaddr.map { .known($0, .bpf) } ?? .unknown(.noOwner), reuseport: .known(false, .bpf),
    timer: SocketTimer(kind: .timeWait, expires: 41_000))
}

private func explanation(
  _ sockets: [SocketObservation], _ options: ReuseOptions = [], runtime: String? = nil,
  transport: TransportProtocol = .tcp
) -> Diagnosis {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: 0)
  host.unprivilegedPortStart = 1024
  host.ipv6Available = true
  host.interfaces = []
  let attempt = BindAttempt(
    transport: transport, address: .v4(.any), port: Port(8080), v6only: false, device: nil, uid: 0)
  let snapshot = Snapshot(host: host, sockets: sockets)
  return explain(
    Situation(
      attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot), planned: options, snapshot: snapshot,
      runtime: runtime.flatMap(Runtime.init(named:))))
}

@Suite("The catalogue of runtimes")
struct RuntimeCatalogueTests {
  @Test("no two entries share a name, an alias or an executable")
  func unique() {
    let names = Runtime.catalogue.flatMap { [$0.name] + $0.aliases }
    #expect(Set(names).count == names.count)
    let executables = Runtime.catalogue.flatMap(\.executables)
    #expect(Set(executables).count == executables.count)
    #expect(names.allSatisfy { $0 == $0.lowercased() && !$0.contains(" ") })
  }

  /// Each entry was found by its evidence; a change of one is to be seen beside it.
  @Test("no entry changes unseen")
  func golden() { GoldenFile.check(Runtime.catalogue.map(\.entry).joined(separator: "\n"), "runtimes.txt") }

  @Test("every entry says where its defaults come from, and a setting is never an empty text")
  func sourced() {
    for runtime in Runtime.catalogue {
      #expect(runtime.source.contains("://"), "\(runtime.name)")
      let settings = [
        runtime.settings.reuseaddr, runtime.settings.reuseport, runtime.settings.v6only, runtime.settings.freebind,
        runtime.settings.address,
      ]
      #expect(settings.allSatisfy { $0 != "" }, "\(runtime.name)")
      #expect(runtime.tcp != nil || runtime.udp != nil, "\(runtime.name) listens nowhere")
      let setsNothing = runtime.tcp?.reuseaddr == false
      #expect(!setsNothing || runtime.settings.reuseaddr != nil, "\(runtime.name) leaves no way to set it")
      switch runtime.evidence {
      case .watched(let what), .read(let what): #expect(!what.isEmpty)
      }
    }
  }

  @Test(
    "a program is recognised by the base name of its executable",
    arguments: [
      ("/usr/bin/node", "node"), ("/usr/bin/python3.11", "python"), ("/usr/bin/php8.2", "php"),
      ("/usr/bin/ruby3.1", "ruby"), ("/usr/sbin/nginx (deleted)", "nginx"),
      ("/usr/lib/postgresql/15/bin/postgres", "postgres"), ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "java"),
      ("/usr/sbin/apache2", "apache"), ("/lib/systemd/systemd", "systemd"), ("/opt/nodejs/bin/nodejs", "node"),
      ("/usr/bin/memcached", "memcached"),
    ])
  func recognised(_ path: String, _ name: String) {
    #expect(Runtime(executable: path)?.name == name)
  }

  @Test(
    "another program is not taken for one that is known",
    arguments: ["/usr/bin/nodemon", "/usr/bin/xnginx", "/home/node/server", "", "/", "12", "/usr/bin/pythonw", nil])
  func notRecognised(_ path: String?) {
    #expect(Runtime(executable: path) == nil)
  }

  @Test("a name that was mistyped has a nearest one, a foreign word has none")
  func nearest() {
    #expect(Runtime.nearest(to: "nods") == "node")
    #expect(Runtime.nearest(to: "Postgers") == "postgres")
    #expect(Runtime.nearest(to: "gunicron") == "gunicorn")
    #expect(Runtime.nearest(to: "xyzzyplugh") == nil)
    #expect(Runtime.nearest(to: "") == nil)
    #expect(Runtime(named: "NodeJS")?.name == "node")
  }
}

@Suite("Where a runtime binds")
struct RuntimeAddressTests {
  @Test(
    "is known of those that people ask for",
    arguments: [
      ("uvicorn", ["127.0.0.1"]), ("gunicorn", ["127.0.0.1"]), ("flask", ["127.0.0.1"]), ("django", ["127.0.0.1"]),
      ("node", ["::"]), ("go", ["::"]), ("caddy", ["::"]), ("nginx", ["0.0.0.0"]), ("haproxy", ["0.0.0.0"]),
      ("postgres", ["127.0.0.1", "::1"]), ("epmd", ["0.0.0.0", "::"]), ("etcd", ["127.0.0.1"]),
    ])
  func addresses(_ name: String, _ addresses: [String]) throws {
    let runtime = try #require(Runtime(named: name))
    #expect(runtime.tcp?.addresses == addresses.compactMap { IPAddress($0) })
  }

  @Test(
    "the names that people type are there",
    arguments: [
      "flask", "django", "vite", "next", "caddy", "traefik", "tomcat", "kafka", "elasticsearch", "rabbitmq", "epmd",
      "mysql", "mariadb", "mongod", "etcd", "avahi", "chrony", "cups", "docker", "deno", "bun", "jupyter", "php-fpm",
      "postfix", "dovecot", "snmpd", "named", "slapd", "mosquitto", "nodejs", "express", "spring", "mongodb", "bind9",
    ])
  func names(_ word: String) {
    #expect(Runtime(named: word) != nil)
  }

  @Test("a setting is what to write to have the option on, and none takes IPv4 alone")
  func settings() {
    for runtime in Runtime.catalogue {
      let settings = [runtime.settings.reuseport, runtime.settings.v6only].compactMap(\.self)
      #expect(!settings.contains { $0.contains("preferIPv4Stack") || $0.contains("0.0.0.0") }, "\(runtime.name)")
      #expect(
        runtime.settings.v6only?.contains("=off") != true && runtime.settings.reuseport?.contains(": no") != true)
    }
  }
}

@Suite("The words of a runtime")
struct RuntimeWordingTests {
  @Test("beside closed connections that had SO_REUSEADDR, a runtime that sets it has no TIME_WAIT problem")
  func timeWait() {
    let note = explanation([closed(reuseaddr: true)], .reuseaddr, runtime: "node").notes.first {
      $0.kind == .runtimeDefault
    }
    #expect(note?.text == "node sets SO_REUSEADDR by itself, so TIME_WAIT is not your problem")
  }

  @Test(
    "where the other side's flag is not known or was not set, TIME_WAIT is not talked away", arguments: [nil, false])
  func unknownOtherSide(_ flag: Bool?) {
    let notes = explanation([closed(reuseaddr: flag)], .reuseaddr, runtime: "node").notes
    #expect(notes.contains { $0.text == "node sets SO_REUSEADDR by itself" })
  }

  @Test("a suggestion about an option names the setting of the planned runtime")
  func setting() {
    let suggestion = explanation([closed(reuseaddr: true)], runtime: "swiftnio").suggestions.first
    #expect(suggestion?.option == .reuseaddr)
    #expect(suggestion?.text.contains(".serverChannelOption(.socketOption(.so_reuseaddr), value: 1)") == true)
  }

  @Test("on a port that nothing uses a runtime adds nothing, and for UDP it says what is not known")
  func silent() {
    #expect(explanation([], runtime: "node").notes == [])
    var socket = listener("/usr/bin/node", .v4(.any))
    socket.transport = .udp
    socket.state = .close
    let notes = explanation([socket], runtime: "node", transport: .udp).notes
    #expect(notes.contains { $0.kind == .runtimeDefault && $0.text.contains("for UDP is not known") })
  }

  @Test("a dual-stack listener in the way of IPv4 is told its own setting, but only where that would help")
  func settingThere() {
    let dual = explanation([listener("/usr/bin/node", .v6(.any), v6only: false)], .reuseaddr)
    let suggestion = dual.suggestions.first { $0.kind == .otherSide }
    #expect(suggestion?.option == .v6only)
    #expect(suggestion?.text.contains("ipv6Only: true") == true)
    let both = explanation(
      [listener("/usr/bin/node", .v6(.any), v6only: false), listener("/usr/bin/node", .v4(.any))], .reuseaddr)
    #expect(!both.suggestions.contains { $0.kind == .otherSide })
    let stranger = explanation([listener("/opt/thing", .v6(.any), v6only: false)], .reuseaddr)
    #expect(!stranger.suggestions.contains { $0.kind == .otherSide })
  }

  @Test("SO_REUSEPORT on the other side is named only to somebody who plans to share the port")
  func sharing() {
    let sockets = [listener("/usr/sbin/nginx", .v4(.any))]
    #expect(!explanation(sockets).suggestions.contains { $0.kind == .otherSide })
    let planned = explanation(sockets, .reuseport).suggestions.first { $0.kind == .otherSide }
    #expect(planned?.text == "set SO_REUSEPORT there, in nginx `listen PORT reuseport;`")
  }
}
