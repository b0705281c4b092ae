import BindRules
import Explanation
import Answers
import SocketModel

/// One kind of answer; its name is the name of its golden file.
struct Case: Sendable, CustomStringConvertible {
  var name: String
  var report: Report
  var isOverview = false
  var verbose = false

  var description: String { name }
}

let cases: [Case] = [
  Case(name: "free", report: report([free(8080)])),
  Case(name: "nginx-listener", report: report([listenerTarget(processes: [nginx()])])),
  Case(name: "nginx-listener-verbose", report: report([listenerTarget(processes: [nginx()])]), verbose: true),
  Case(
    name: "forty-workers", report: report([listenerTarget(processes: (812..<852).map { nginx($0, inGroupOf: 40) })])),
  Case(name: "time-wait-only", report: report([timeWaitTarget(count: 2)])),
  Case(name: "three-hundred-time-wait", report: report([timeWaitTarget(count: 300)])),
  Case(
    name: "planned-reuseaddr",
    report: report([timeWaitTarget(count: 1, plan: Plan(options: .reuseaddr, uid: 1000))])),
  Case(name: "hidden-owner", report: hiddenOwner),
  Case(name: "dual-stack", report: dualStack),
  Case(name: "udp", report: udp),
  Case(name: "shared-port", report: sharedPort),
  Case(name: "undetermined", report: undetermined),
  Case(name: "nothing-visible", report: nothingVisible),
  Case(name: "queued-child", report: queuedChild),
  Case(name: "long-ipv6", report: longIPv6),
  Case(name: "hostile-names", report: report([listenerTarget(processes: [hostile])])),
  Case(name: "listen-fails", report: listenFails),
  Case(name: "range-of-twenty", report: rangeOfTwenty),
  Case(name: "two-targets", report: report([free(8080), free(8081)])),
  Case(name: "ownership", report: ownership, isOverview: true),
  Case(name: "overview", report: overview, isOverview: true),
  Case(name: "overview-clients", report: overviewWithClients, isOverview: true),
  Case(name: "overview-empty", report: report([]), isOverview: true),
]

func free(_ port: UInt16) -> TargetReport {
  target(port: port, sockets: [], attempts: ["0.0.0.0", "::"].map { attempt($0, port: port) })
}

func listenerTarget(port: UInt16 = 8080, processes: [ProcessRecord]) -> TargetReport {
  let listener = socket(
    .listen, "0.0.0.0", port, uid: 33, inode: 4711, cookie: 42, owner: .process, processes: processes)
  return target(port: port, sockets: [listener], attempts: ["0.0.0.0", "::"].map { attempt($0, port: port) })
}

func timeWaitTarget(count: Int, plan: Plan = Plan(uid: 1000)) -> TargetReport {
  let sockets = (0..<count).map { index -> SocketObservation in
    let left = UInt32(41_000 + index * 10)
    return socket(
      .timeWait, "10.0.0.5", 8080, peer: ("10.0.0.9", UInt16(51000 + index)), reuseaddr: yes(.bpf),
      reuseport: no(.bpf), cookie: UInt64(index), timer: left)
  }
  return target(plan: plan, sockets: sockets, attempts: ["0.0.0.0", "::"].map { attempt($0) })
}

let notRoot = Visibility(unreadableProcesses: 3, reasons: [.notRoot])

let hiddenOwner = report(
  [
    target(
      sockets: [
        socket(
          .listen, "0.0.0.0", 8080, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), uid: 33,
          inode: 4711, owner: .hidden)
      ], attempts: [attempt("0.0.0.0")], visibility: notRoot)
  ], visibility: notRoot)

let dualStack: Report = {
  let listener = socket(
    .listen, "::", 8080, v6only: yes(.sockDiag), uid: 1000, inode: 4712, owner: .process,
    processes: [ProcessRecord(pid: 900, command: "node", descriptors: [18])])
  return report([
    target(
      sockets: [listener], attempts: [attempt("0.0.0.0"), attempt("::")],
      notes: [.otherProtocol(1, of: .udp, Command(argv: ["portwhy", "8080/udp"]))])
  ])
}()

private let avahi = ProcessRecord(
  pid: 555, command: "avahi-daemon", descriptors: [12], unit: "avahi-daemon.service")

let udp = report([
  target(
    port: 5353, transport: .udp, plan: Plan(options: .reuseport, uid: 1000),
    sockets: [
      socket(
        .close, "0.0.0.0", 5353, transport: .udp, reuseaddr: no(), reuseport: yes(), uid: 107, inode: 99,
        owner: .process, processes: [avahi])
    ], attempts: [attempt("0.0.0.0", port: 5353, transport: .udp)])
])

let sharedPort = report([
  target(
    port: 5353, transport: .udp, plan: Plan(options: .reuseaddr, uid: 1000),
    sockets: [
      socket(
        .close, "0.0.0.0", 5353, transport: .udp, reuseaddr: yes(), uid: 107, inode: 99, owner: .process,
        processes: [avahi])
    ], attempts: [attempt("0.0.0.0", port: 5353, transport: .udp)])
])

let undetermined = report(
  [
    target(
      plan: Plan(options: .reuseaddr, uid: 1000),
      sockets: [
        socket(
          .established, "10.0.0.5", 8080, peer: ("10.0.0.9", 40000), reuseaddr: .unknown(.hidden),
          reuseport: .unknown(.hidden), uid: 33, inode: 5, owner: .hidden)
      ], attempts: [attempt("0.0.0.0")], visibility: notRoot)
  ], visibility: notRoot)

private let old = Visibility(boundSocketsComplete: false, reasons: [.notRoot, .oldKernel])

let nothingVisible = report(
  [target(sockets: [], attempts: ["0.0.0.0", "::"].map { attempt($0) }, visibility: old)], visibility: old)

let queuedChild: Report = {
  let listener = socket(
    .listen, "::", 8080, v6only: no(.sockDiag), uid: 1000, inode: 4711, owner: .process,
    processes: [
      ProcessRecord(pid: 77, command: "server", descriptors: [3])
    ])
  let child = socket(
    .established, "::ffff:10.0.0.5", 8080, peer: ("::ffff:10.0.0.9", 51322),
    reuseaddr: .inferred(true, from: 1, because: .noOwner), reuseport: .inferred(false, from: 1, because: .noOwner),
    v6only: .unknown(.noOwner))
  let request = socket(
    .synRecv, "::ffff:10.0.0.5", 8080, peer: ("::ffff:10.0.0.9", 51323), reuseaddr: .unknown(.noOwner),
    reuseport: .unknown(.noOwner), v6only: .unknown(.noOwner))
  return report([
    target(
      sockets: [child, listener, request], attempts: [attempt("0.0.0.0")])
  ])
}()

let longIPv6 = report([
  target(
    sockets: [
      socket(
        .established, "2001:db8:1234:5678:9abc:def0:1234:5678", 8080,
        peer: ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 51322), v6only: .unknown(.noOwner), device: 2, uid: 1000,
        inode: 3, owner: .process, processes: [ProcessRecord(pid: 4242, command: "server", descriptors: [9])]),
      socket(
        .listen, "fe80::1", 8080, v6only: yes(), device: 2, uid: 1000, inode: 4, owner: .process,
        processes: [
          ProcessRecord(
            pid: 4242, command: "server", descriptors: [3], container: "3f2a9c0d11223344556677889900aabb")
        ]),
    ],
    attempts: [attempt("::")])
])

let hostile = ProcessRecord(
  pid: 666, command: "e\u{1b}[2Jv\nil\u{9b}\u{7f}", executable: "/tmp/\u{202e}gnp.exe", descriptors: [1],
  unit: "a\u{2028}b.service")

let listenFails = report([
  target(
    plan: Plan(options: .reuseaddr, uid: 0),
    sockets: [
      socket(
        .listen, "127.0.0.1", 8080, uid: 0, inode: 1, owner: .process,
        processes: [
          ProcessRecord(pid: 10, command: "sh", descriptors: [3]),
          ProcessRecord(pid: 11, command: "a", descriptors: [3]),
          ProcessRecord(pid: 12, command: "b", descriptors: [3]),
          ProcessRecord(pid: 13, command: "c", descriptors: [3]),
        ])
    ],
    attempts: [
      attempt(
        "127.0.0.1", uid: 0,
        outcomes: outcomes(
          [(inUse, nil), (.ok, inUse), (inUse, nil), (.ok, inUse)],
          blockers: [Blocker(socket: 0, rule: .tcpListener)])),
      attempt("127.0.0.2", uid: 0, outcomes: outcomes(worksFourTimes)),
      attempt("::1", uid: 0, outcomes: outcomes(worksFourTimes)),
    ])
])

let rangeOfTwenty = report(
  (8000..<8020).map { port in port == 8003 ? listenerTarget(port: 8003, processes: [nginx()]) : free(UInt16(port)) })

func used(_ port: UInt16, _ sockets: [SocketObservation]) -> TargetReport {
  let transport = sockets.first?.transport ?? .tcp
  return target(port: port, transport: transport, sockets: sockets, attempts: [])
}

let overview = report(
  [
    used(
      80,
      [
        socket(.listen, "0.0.0.0", 80, owner: .process, processes: (812..<852).map { nginx($0) }),
        socket(.listen, "::", 80, v6only: yes(.sockDiag), owner: .process, processes: (812..<852).map { nginx($0) }),
        socket(.established, "10.0.0.5", 80, peer: ("10.0.0.9", 51322), owner: .process, processes: [nginx(813)]),
      ]),
    used(
      53,
      [
        socket(
          .close, "127.0.0.53", 53, transport: .udp, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden),
          device: 1, uid: 101, owner: .hidden)
      ]),
    used(
      43110,
      [
        socket(
          .established, "10.0.0.5", 43110, peer: ("10.0.0.9", 443), reuseaddr: no(), owner: .process,
          processes: [ProcessRecord(pid: 5, command: "firefox", descriptors: [44])])
      ]),
    used(8081, [socket(.timeWait, "10.0.0.5", 8081, peer: ("10.0.0.9", 443), timer: 12_300)]),
  ], visibility: notRoot)

func client(_ port: UInt16) -> TargetReport {
  let isOver = port < 40100
  let curl = ProcessRecord(pid: 77, command: "curl", descriptors: [3])
  return used(
    port,
    [
      socket(
        isOver ? .timeWait : .established, "10.0.0.5", port, peer: ("10.0.0.9", 443),
        owner: isOver ? .none : .process, processes: isOver ? [] : [curl])
    ])
}

let overviewWithClients: Report = {
  let systemd = ProcessRecord(pid: 1, command: "systemd", descriptors: [9], unit: "init.scope")
  let sshd = used(22, [socket(.listen, "0.0.0.0", 22, owner: .process, processes: [systemd])])
  return report([sshd] + (40000..<40400).map(client))
}()
