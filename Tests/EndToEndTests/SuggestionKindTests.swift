import Explanation
import Glibc
import JSONTestSupport
import KernelLab
import Testing

/// Where a suggestion of a kind is carried out against real sockets, before the planned bind is made and works.
private enum CarriedOut {
  /// Below, in this file.
  case here((inout NetworkNamespace) throws -> Void)
  /// A row of the kind in `Tests/ExplanationTests/SuggestionTests.swift`.
  case row
  /// A test of this name.
  case test(String, String)
}

/// Every kind has a place here; one that is added does not compile before it has.
private func carriedOut(_ kind: Suggestion.Kind) -> CarriedOut {
  switch kind {
  case .setOption, .setOptionThere, .otherAddress, .otherAddressThere, .localAddress, .addScope, .otherUser,
    .otherProtocol, .raisePrivilege, .unprivilegedPortStart, .nonlocalBind, .enableFamily:
    .row
  case .otherPort: .test("ExplanationTests/SuggestionTests", "otherPort")
  case .stopHolder: .test("EndToEndTests/CarriedOutTests", "kill")
  case .closeConnection: .test("EndToEndTests/CarriedOutTests", "closedConnection")
  case .reservePort: .test("EndToEndTests/CarriedOutTests", "reserved")
  case .closeOwn: .test("EndToEndTests/BindFailureTests", "ownProgram")
  case .tryAgain, .newSocket: .test("EndToEndTests/BindFailureTests", "errnoThatCame")
  case .changeSocketUnit: .here(changeSocketUnit)
  case .otherSide: .here(otherSide)
  case .findHolder: .here(findHolder)
  case .changeSetting: .here(changeSetting)
  case .changeInterface: .here(changeInterface)
  case .wait: .here(wait)
  case .lookAsRoot: .here(lookAsRoot)
  case .lookAtInterfaces: .here(lookAtInterfaces)
  case .lookAtPolicy: .here(lookAtPolicy)
  case .probe: .here(probe)
  }
}

private let port: UInt16 = 38080
private let question = ["0.0.0.0:38080"]

/// The first suggestion of the kind that this question brings.
private func advice(
  _ kind: Suggestion.Kind, _ question: [String], _ start: Start = Start()
) throws -> (text: String, argv: [String]) {
  let answer = try Answer(question, start)
  let all = answer.attempts.flatMap { $0["suggestions"]?.elements ?? [] }
  guard let found = all.first(where: { $0["kind"]?.text == kind.rawValue }) else {
    throw StartError(what: "no \(kind.rawValue): \(answer.ending.output)")
  }
  return (found["text"]?.text ?? "", found["argv"]?.elements.compactMap(\.text) ?? [])
}

/// The planned server, started until it runs: what was told to end takes its time.
private func binds(_ script: String, through: [String] = [], port: UInt16 = port) throws {
  for _ in 0..<300 {
    if (try? withServer(script, port: port, through: through, { _ in })) != nil { return }
    usleep(100_000)
  }
  try withServer(script, port: port, through: through) { _ in }
}

private let listens = "our $s = listener($port);"

/// Says that a kind was not carried out here, which in CI is a failure.
private func notRun(_ why: String) {
  if getenv("CI") != nil { Issue.record("\(why)") }
  say("NOT RUN: \(why)\n")
}

// MARK: The holder

/// From inside of a pid namespace the holder is not to be seen; asked outside, as is advised, it is named with what ends it.
private func findHolder(_: inout NetworkNamespace) throws {
  let child =
    "unless (fork) { use POSIX (); POSIX::sigprocmask(POSIX::SIG_SETMASK(), POSIX::SigSet->new);"
    + " our $s = listener($port); syswrite $w, 'x'; sleep 60; exit } sysread $r, my $x, 1;"
  try withServer("pipe(our $r, our $w); \(child)", port: port) { _ in
    var inside = Start()
    inside.through = ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc"]
    let outside = try advice(.findHolder, question, inside)
    #expect(outside.text.hasPrefix("ask on the host, outside this container"))
    let stop = try advice(.stopHolder, question)
    #expect(stop.argv.first == "kill")
    let kill = try run([try path(of: "kill")] + stop.argv.dropFirst(), Start())
    #expect(kill.status == 0)
    try binds(listens)
  }
}

/// A client of a reserved port takes another where the server was started first.
private func changeSetting(_: inout NetworkNamespace) throws {
  let client = #"""
    our $l = listener(2049); our $c;
    for my $p ($port, $port - 1) { last if eval { $c = bound($p) } }
    connect($c, pack_sockaddr_in(2049, INADDR_LOOPBACK)) or die "connect: $!";
    """#
  try withServer(client, port: 993) { _ in
    let first = try advice(.changeSetting, ["--reuseaddr", "0.0.0.0:993"])
    #expect(first.text == "start the server before perl")
  }
  try withServer("our $s = listener($port, AF_INET, [SO_REUSEADDR]);", port: 993) { _ in
    try withServer(client, port: 993) { _ in }
  }
}

/// `systemctl edit` opens an editor; what it writes is moved and started in a systemd of its own by scripts/check-systemd.
private func changeSocketUnit(_: inout NetworkNamespace) throws {
  let script = try projectFile("scripts/check-systemd")
  #expect(script.contains("change-socket-unit"))
}

private func changeInterface(_: inout NetworkNamespace) throws {
  let ip = { (words: String) in try run(["/bin/sh", "-c", "ip link \(words)"], Start()).status == 0 }
  guard try ip("add vx0 type vxlan id 7 dstport 4789"), try ip("set vx0 up") else {
    return notRun("no VXLAN interface could be made")
  }
  let move = try advice(.changeInterface, ["0.0.0.0:4789/udp"])
  #expect(move.text.contains("another destination port"))
  let isMoved = try ip("delete vx0") && ip("add vx0 type vxlan id 7 dstport 4790") && ip("set vx0 up")
  #expect(isMoved)
  try binds("our $s = bound($port, AF_INET, [], SOCK_DGRAM);", port: 4789)
}

/// nginx with a socket for both families leaves IPv4 alone by the setting that is named.
private func otherSide(_: inout NetworkNamespace) throws {
  guard access("/usr/sbin/nginx", X_OK) == 0 else { return notRun("nginx is not here") }
  func withNginx(_ setting: String, _ body: () throws -> Void) throws {
    try inDirectory { folder in
      let configuration =
        "daemon off; master_process off; pid \(folder)/pid; error_log \(folder)/error.log;"
        + " events {} http { access_log off; server { listen [::]:\(port) \(setting); } }"
      let script =
        "echo '\(configuration)' >\(folder)/conf; exec 3<&0; nginx -c \(folder)/conf >/dev/null 2>&1 & n=$!;"
        + " i=0; until [ -s \(folder)/pid ] || [ $i = 300 ]; do i=$((i+1)); sleep 0.1; done;"
        + " echo ready; read x <&3; kill -9 $n; wait"
      try withServer(words: ["/bin/sh", "-c", "PATH=$PATH:/usr/sbin; \(script)"]) { _ in try body() }
    }
  }
  try withNginx("ipv6only=off") {
    let setting = try advice(.otherSide, question)
    #expect(setting.text.contains("ipv6only=on"))
  }
  try withNginx("ipv6only=on") { try binds(listens) }
}

/// A half-closed connection that the kernel gives up, the peer of which stays open.
private func wait(_ namespace: inout NetworkNamespace) throws {
  try namespace.setSysctl("ipv4/tcp_fin_timeout", "20")
  let script = #"""
    my $l = listener($port); socket(our $c, AF_INET, SOCK_STREAM, 0) or die;
    connect($c, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!";
    accept(my $a, $l) or die; close $a; close $l;
    """#
  try withServer(script, port: port) { _ in
    let waits = try advice(.wait, question)
    #expect(waits.argv.prefix(2) == ["portwhy", "--wait"])
    let waited = try portwhy(Array(waits.argv.dropFirst()))
    #expect(waited.status == 0)
    try binds(listens)
  }
}

// MARK: A closer look

/// A socket whose options a user may not see keeps the answer open.
private let openQuestion = ["--reuseaddr", "0.0.0.0:38080"]
private let hidden = "our $s = bound($port, AF_INET, [SO_REUSEADDR]);"
private let reuses = "our $s = bound($port, AF_INET, [SO_REUSEADDR]);"

private func lookAsRoot(_: inout NetworkNamespace) throws {
  try withServer(hidden, port: port) { _ in
    let look = try advice(.lookAsRoot, openQuestion, .asNobody)
    #expect(look.argv.prefix(2) == ["sudo", "portwhy"])
    let asRoot = try portwhy(Array(look.argv.dropFirst(2)))
    #expect(asRoot.status == 0, "settled")
    try binds(reuses)
  }
}

private func probe(_: inout NetworkNamespace) throws {
  try withServer(hidden, port: port) { _ in
    let settles = try advice(.probe, openQuestion, .asNobody)
    #expect(settles.argv.first == "portwhy" && settles.argv.contains("--probe"))
    let settled = try portwhy(Array(settles.argv.dropFirst()), .asNobody)
    #expect(settled.status == 0, "settled")
    try binds(reuses, through: Start.asNobody.through)
  }
}

private func lookAtInterfaces(_: inout NetworkNamespace) throws {
  let look = try advice(.lookAtInterfaces, ["--device", "nodev0"] + question)
  let seen = try run([try path(of: look.argv.first ?? "")] + look.argv.dropFirst(), Start())
  #expect(seen.output.contains("lo:"), "\(seen.errors)")
  let judged = try portwhy(["-q", "--device", "lo"] + question)
  #expect(judged.status == 0)
  try binds(
    #"socket(our $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, 25, "lo\0") or die "device: $!";"#
      + " bind($s, pack_sockaddr_in($port, INADDR_ANY)) or die; listen($s, 1) or die;")
}

/// What Landlock refuses is allowed once the sandbox that the audit log names is not there.
private func lookAtPolicy(_: inout NetworkNamespace) throws {
  guard commandModeRuns else { return notRun("no command can be supervised") }
  let words = [binder, "127.0.0.1", "\(port)"]
  let refused = try CommandReports([binder, "landlock"] + words)
  guard refused.causes == ["refused-by-policy"] else { return notRun("no sandbox refuses: \(refused.causes)") }
  let attempt = refused.reports.first?["targets"]?.elements.first?["attempts"]?.elements.first
  let look = attempt?["suggestions"]?.elements.first { $0["kind"]?.text == Suggestion.Kind.lookAtPolicy.rawValue }
  #expect(look?["argv"]?.elements.first?.text == "journalctl")
  let allowed = try run(words, Start())
  #expect(allowed.status == 0)
}

// MARK: The list

/// A file of the project.
private func projectFile(_ name: String) throws -> String {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  guard let file = fopen("/\(root)/\(name)", "r") else { throw StartError(what: "no \(name)") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = fread(&part, 1, part.count, file), count > 0 { bytes += part.prefix(count) }
  return String(decoding: bytes, as: UTF8.self)
}

@Suite("A kind of suggestion", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct SuggestionKindTests {
  @Test("is carried out against a real process, and then the planned bind works", arguments: Suggestion.Kind.allCases)
  func works(_ kind: Suggestion.Kind) throws {
    switch carriedOut(kind) {
    case .here(let body):
      try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { (namespace: inout NetworkNamespace) in
        try body(&namespace)
      }
    case .row:
      let rows = try projectFile("Tests/ExplanationTests/SuggestionTests.swift")
      #expect(rows.contains("\", .\(kind)"), "no row for \(kind)")
    case .test(let file, let test):
      let tests = try projectFile("Tests/\(file).swift")
      #expect(tests.contains("  func \(test)()"), "no test \(test)")
      #expect(
        tests.contains("\"\(kind.rawValue)\"") || tests.contains(".\(kind)"), "\(file) does not speak of \(kind)")
    }
  }
}
