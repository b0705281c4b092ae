import Answers
import SocketModel
import Testing

@testable import PortwhyCLI

let services = ServiceTable(
  parsing: """
    # a comment
    http    80/tcp   www   # WorldWideWeb
    http-alt 8080/tcp webcache
    x11-1   6001/tcp
    domain  53/tcp
    domain  53/udp
    tftp    69/udp
    http    81/tcp
    broken  99999/tcp
    broken2 80
    redis   6379/tcp
    """)

private let hosts = HostNames(
  parsing: """
    127.0.0.1 localhost
    127.0.1.1 web.example web # this host
    fd00::7   web
    ::1       ip6-localhost
    """, own: "Lab")

private func items(
  _ word: String, _ transports: [TransportProtocol] = [], families: Set<AddressFamily>? = nil
) throws -> [QuestionItem] {
  try TargetParser(transports: transports, families: families, services: { services }, hosts: { hosts }).items(word)
}

/// `tcp 80-90 *,127.0.0.1` for an item.
private func text(_ item: QuestionItem) -> String {
  let addresses = item.addresses.map { address in
    switch address {
    case .wildcard: "*"
    case .everyAddress: "every"
    case .address(let address, let zone): "\(address)" + (zone.map { "%" + $0 } ?? "")
    }
  }
  let ports = item.ports.count == 1 ? "\(item.ports.lowerBound)" : "\(item.ports.lowerBound)-\(item.ports.upperBound)"
  return "\(item.transport.rawValue) \(ports) \(addresses.joined(separator: ","))"
}

@Suite("TARGET")
struct TargetParserTests {
  @Test(
    "is read",
    arguments: [
      ("8080", ["tcp 8080 *"]), ("1", ["tcp 1 *"]), ("65535", ["tcp 65535 *"]), ("080", ["tcp 80 *"]),
      ("8000-8010", ["tcp 8000-8010 *"]), ("80-80", ["tcp 80 *"]), ("http", ["tcp 80 *"]), ("www", ["tcp 80 *"]),
      ("http-alt", ["tcp 8080 *"]), ("x11-1", ["tcp 6001 *"]), ("domain/udp", ["udp 53 *"]),
      ("tftp/udp", ["udp 69 *"]), ("80/tcp", ["tcp 80 *"]), ("53/UDP", ["udp 53 *"]),
      ("127.0.0.1:80", ["tcp 80 127.0.0.1"]), ("[::1]:80", ["tcp 80 ::1"]),
      ("[fe80::1%eth0]:80/udp", ["udp 80 fe80::1%eth0"]), ("*:80", ["tcp 80 every"]), (":80", ["tcp 80 *"]),
      ("0.0.0.0:80", ["tcp 80 0.0.0.0"]), ("[::]:80", ["tcp 80 ::"]),
      ("[::ffff:1.2.3.4]:80", ["tcp 80 ::ffff:1.2.3.4"]),
      ("localhost:80", ["tcp 80 127.0.0.1,::1"]), ("224.0.0.251:5353/udp", ["udp 5353 224.0.0.251"]),
      ("127.0.0.1:http-alt", ["tcp 8080 127.0.0.1"]), ("80,443", ["tcp 80 *", "tcp 443 *"]),
      ("443,80", ["tcp 443 *", "tcp 80 *"]), ("53/udp,53", ["udp 53 *", "tcp 53 *"]),
      ("http://localhost:3000/x", ["tcp 3000 127.0.0.1,::1"]), ("https://127.0.0.1/", ["tcp 443 127.0.0.1"]),
      ("http://[::1]", ["tcp 80 ::1"]), ("http://[::1]:81?q#f", ["tcp 81 ::1"]),
      ("HTTP://LOCALHOST", ["tcp 80 127.0.0.1,::1"]),
      ("http://user:secret@127.0.0.1:8/", ["tcp 8 127.0.0.1"]), ("redis://localhost", ["tcp 6379 127.0.0.1,::1"]),
      ("ws://0.0.0.0:9", ["tcp 9 0.0.0.0"]), ("http://[fe80::1%25eth0]:80/", ["tcp 80 fe80::1%eth0"]),
      ("http://localhost:3000/a/b/c", ["tcp 3000 127.0.0.1,::1"]),
    ])
  func read(_ word: String, _ expected: [String]) throws {
    #expect(try items(word).map(text) == expected)
  }

  @Test(
    "as other programs write it is read",
    arguments: [
      (":::8080", ["tcp 8080 ::"]), ("::1:8080", ["tcp 8080 ::1"]), ("fe80::1%eth0:80", ["tcp 80 fe80::1%eth0"]),
      ("tcp:8080", ["tcp 8080 *"]), ("udp:53", ["udp 53 *"]), ("UDP/53", ["udp 53 *"]), ("tcp/http", ["tcp 80 *"]),
      ("udp:127.0.0.1:53", ["udp 53 127.0.0.1"]), ("8080/tcp6", ["tcp 8080 *"]), ("53/udp4", ["udp 53 *"]),
      ("udp://0.0.0.0:5353", ["udp 5353 0.0.0.0"]), ("udp://:5353", ["udp 5353 *"]),
      ("quic://[::1]", ["udp 443 ::1"]),
      ("tcp://127.0.0.1:80", ["tcp 80 127.0.0.1"]), ("http://web:3000/", ["tcp 3000 127.0.1.1,fd00::7"]),
      ("WEB.example:80", ["tcp 80 127.0.1.1"]), ("lab:80", ["tcp 80 every"]), ("8080\n", ["tcp 8080 *"]),
      (" 80", ["tcp 80 *"]),
      ("0.0.0.0:8080->80/tcp", ["tcp 8080 0.0.0.0"]), (":::8080->80/tcp", ["tcp 8080 ::"]),
      ("[::]:5353->53/udp", ["udp 5353 ::"]), ("0.0.0.0:80-90->8080-8090/tcp", ["tcp 80-90 0.0.0.0"]),
      ("0.0.0.0:8080->80/tcp, :::8080->80/tcp", ["tcp 8080 0.0.0.0,::"]),
      ("5f70bf nginx \"/entry\" 2 hours ago Up 2 hours 443/tcp, 0.0.0.0:8080->80/tcp web", ["tcp 8080 0.0.0.0"]),
      ("LISTEN 0 511 0.0.0.0:8080 0.0.0.0:* users:((\"nginx\",pid=812,fd=6))", ["tcp 8080 0.0.0.0"]),
      ("udp UNCONN 0 0 127.0.0.53%lo:domain 0.0.0.0:*", ["udp 53 127.0.0.53"]),
      ("UNCONN 0 0 [fe80::1]%eth0:546 [::]:*", ["udp 546 fe80::1%eth0"]),
      ("tcp ESTAB 0 0 127.0.0.1:8080 127.0.0.1:51322", ["tcp 8080 127.0.0.1"]),
      ("tcp6       0      0 :::8080       :::*        LISTEN      812/nginx", ["tcp 8080 ::"]),
      ("udp        0      0 0.0.0.0:68    0.0.0.0:*               700/dhclient", ["udp 68 0.0.0.0"]),
      ("nginx 812 root 6u IPv4 31753 0t0 TCP *:8080 (LISTEN)", ["tcp 8080 every"]),
      ("node 3 al 18u IPv6 4 0t0 TCP [::1]:8080->[::1]:5 (ESTABLISHED)", ["tcp 8080 ::1"]),
      ("avahi 5 av 12u IPv4 9 0t0 UDP *:5353", ["udp 5353 every"]),
      ("listen udp 0.0.0.0:5353: bind: address already in use", ["udp 5353 0.0.0.0"]),
      ("listen tcp :8080: bind: address already in use", ["tcp 8080 *"]),
      ("Error: listen EADDRINUSE: address already in use :::3000", ["tcp 3000 ::"]),
      ("[Errno 98] bind on address ('127.0.0.1', 8000): address already in use", ["tcp 8000 127.0.0.1"]),
      ("nginx: [emerg] bind() to [::]:8080 failed (98: Address already in use)", ["tcp 8080 ::"]),
      ("2024-01-02 12:30:45 Port 5173 is in use, trying another one...", ["tcp 5173 *"]),
      ("Is another postmaster already running on port 5432?", ["tcp 5432 *"]),
      ("Failed to bind to localhost/127.0.0.1:9092", ["tcp 9092 127.0.0.1"]),
      ("cannot serve http://user:secret@localhost:8/ now", ["tcp 8 127.0.0.1,::1"]),
    ])
  func pasted(_ word: String, _ expected: [String]) throws {
    #expect(try items(word).map(text) == expected)
  }

  @Test(
    "with an @ is never repeated",
    arguments: ["u:SECRET@host:80", "jdbc:postgresql://u:SECRET@h:5432/db", "http://u:SE/CRET@h", "a SECRET@b c"])
  func secrets(_ word: String) {
    do {
      _ = try items(word)
      Issue.record("read")
    } catch {
      #expect(!"\(error)".contains("SE"), "\(error)")
    }
  }

  @Test(
    "that names a port twice is one item",
    arguments: [
      ("80,80", ["tcp 80 *"]), ("80-90,85-95", ["tcp 80-90 *", "tcp 91-95 *"]), ("80-90,85", ["tcp 80-90 *"]),
      ("85,80-90", ["tcp 85 *", "tcp 80-84 *", "tcp 86-90 *"]),
      ("80-90,127.0.0.1:85", ["tcp 80-84 *", "tcp 85 *,127.0.0.1", "tcp 86-90 *"]),
      ("127.0.0.1:80,[::1]:80,127.0.0.1:80", ["tcp 80 127.0.0.1,::1"]),
      ("80-81,82-83,127.0.0.1:81-82", ["tcp 80 *", "tcp 81 *,127.0.0.1", "tcp 82 *,127.0.0.1", "tcp 83 *"]),
      ("80/udp,80/tcp", ["udp 80 *", "tcp 80 *"]), ("1-65535,65535,1", ["tcp 1-65535 *"]),
    ])
  func merged(_ word: String, _ expected: [String]) throws {
    #expect(try items(word).map(text) == expected)
  }

  @Test("with -t and -u is asked for both, with -4 and -6 for the family")
  func options() throws {
    #expect(try items("53", [.udp]).map(text) == ["udp 53 *"])
    #expect(try items("domain", [.tcp, .udp]).map(text) == ["tcp 53 *", "udp 53 *"])
    #expect(try items("53/udp", [.tcp, .udp]).map(text) == ["udp 53 *"])
    #expect(try items("localhost:80", families: [.ipv4]).map(text) == ["tcp 80 127.0.0.1"])
    #expect(try items("localhost:80", families: [.ipv6]).map(text) == ["tcp 80 ::1"])
    #expect(try items("[::1]:80,127.0.0.1:81", families: [.ipv4, .ipv6]).count == 2)
  }

  @Test(
    "that is wrong is an error that names the bad part",
    arguments: [
      ("0", "\"0\""), ("65536", "\"65536\""), ("99999999999999999999999", "\"99999999999999999999999\""),
      ("80x", "\"80x\""), ("nosuch", "\"nosuch\""), ("1.2.3:80", "\"1.2.3\""), ("[::1:80", "\"[::1:80\""),
      ("", "empty"),
      (",", "empty item"), ("80,", "empty item in \"80,\""), (",80", "empty item"), ("80,,81", "empty item"),
      ("90-80", "reversed range \"90-80\""), ("0-80", "\"0\""), ("80-65536", "\"65536\""), ("80-", "\"80-\""),
      ("-80", "\"-80\""), ("80-81-82", "\"80-81-82\""), ("80/sctp", "\"/sctp\""), ("80/", "\"/\""),
      ("80/tcp/udp", "\"/tcp/udp\""), ("127.0.0.1", "no port"), ("[::1]", "no port"), ("127.0.0.1:", "no port"),
      ("::1", "no port in \"::1\": type it as in [::1]:80"), ("1:2:3:4:5:6:7:8", "no port"),
      ("1::2::3:80", "brackets"),
      ("10.0.0.0/24:8080", "\"10.0.0.0/24\" in \"10.0.0.0/24:8080\" is a network"), ("10.0.0.0/24", "network"),
      ("8080:80", "type 8080 for the host's side, or 80"), ("udp:", "\"udp\""), ("/80", "\"/80\""),
      ("127.0.0.1:8080:80", "type 8080 for the host's side (127.0.0.1:8080), or 80"),
      ("no such port", "no port in \"no such port\""),
      ("listen tcp :8080: in use, listen tcp :9090: in use", "2 ports (8080, 9090): type the one that is meant"),
      ("[127.0.0.1]:80", "\"[127.0.0.1]\""), ("[::1]80", "\"80\""),
      ("[fe80::1%]:80", "no interface"),
      ("[]:80", "\"[]\""), ("256.0.0.1:80", "\"256.0.0.1\""), ("example.com:80", "\"example.com\""),
      ("http://example.com/", "\"example.com\""), ("http://localhost:x/", "\"x\""), ("foo://localhost", "\"foo\""),
      ("tftp", "udp only"), ("+80", "\"+80\""), (" ", "empty"), ("８０", "\"８０\""), ("80,81x", "\"81x\""),
      ("http://", "no host"), ("broken", "\"broken\""), ("broken2", "\"broken2\""), ("localhost", "\"localhost\""),
    ])
  func wrong(_ word: String, _ part: String) {
    do {
      let items = try items(word)
      Issue.record("read as \(items.map(text))")
    } catch let error as UsageError {
      #expect(error.message.contains(part), "\(error.message)")
      #expect(!error.message.contains("\n"))
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("that contradicts an option is an error")
  func contradictions() {
    #expect(throws: UsageError("\"53/udp\" contradicts -t")) { try items("53/udp", [.tcp]) }
    #expect(throws: UsageError("\"53/tcp\" contradicts -u")) { try items("53/tcp", [.udp]) }
    #expect(throws: UsageError("\"udp://:53\" contradicts -t")) { try items("udp://:53", [.tcp]) }
    #expect(throws: UsageError("\"[::1]:80\" contradicts -4")) { try items("[::1]:80", families: [.ipv4]) }
    #expect(throws: UsageError("\"127.0.0.1:80\" contradicts -6")) { try items("127.0.0.1:80", families: [.ipv6]) }
  }

  @Test("does not repeat the password of a URL")
  func password() {
    do {
      _ = try items("http://user:secret@example.com/")
      Issue.record("read")
    } catch {
      #expect(!"\(error)".contains("secret"))
    }
  }

  @Test("with as many items as fit into a word is read at once, and in the order typed")
  func many() throws {
    let word = (1...26_000).map { "\($0)" }.joined(separator: ",")
    let read = try items(word + ",127.0.0.1:1-65535")
    let nested = try items((1...9000).map { "\($0)-\(65_535 - $0)" }.joined(separator: ","))
    // Where each of them takes its time for each other these are minutes; `make fuzz` gives an input ten seconds.
    #expect(read.count == 26_001 && read[25_999].ports == 26_000...26_000)
    #expect(read.last.map(text) == "tcp 26001-65535 127.0.0.1")
    #expect(nested.map(text) == ["tcp 1-65534 *"])
  }

  @Test("made of a number opens no service table")
  func noServices() throws {
    let parser = TargetParser(services: {
      Issue.record("opened")
      return services
    })
    _ = try parser.items("80,8000-8010,127.0.0.1:90/udp,https://localhost")
  }
}
