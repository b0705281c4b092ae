import CBPFTests
import Glibc
import SocketModel
import Testing

@testable import Evidence

extension KernelSuite {
  @Suite struct Holders {
    @Test("A socket that another user's process has only bound is found with its flags")
    func otherProcess() throws {
      try inPrivateNetwork {
        let server = try PerlProcess(
          """
          use Socket; $) = "1000 1000"; $> = 1000;
          socket(my $s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
          bind($s, sockaddr_in(8080, inet_aton("127.0.0.1"))) or die $!;
          syswrite(STDOUT, fileno($s)); sysread(STDIN, my $x, 1);
          """)
        let descriptor = Int32(try server.readText())
        let holders = try BPFEvidence().socketHolders(ports: 8080...8080).filter { $0.pid == server.pid }
        try #require(holders.count == 1)
        #expect(holders[0].descriptor == descriptor)
        #expect(holders[0].networkNamespace == (try ownNetworkNamespace()))
        #expect(linkText("/proc/\(server.pid)/fd/\(holders[0].descriptor)") == "socket:[\(holders[0].inode)]")
        #expect(!holders[0].isMPTCP)
        let socket = holders[0].socket
        #expect(socket.transport == .tcp)
        #expect(socket.state == .close)
        #expect(socket.holdsPort == true)
        #expect(socket.reuseaddr == true)
        #expect(socket.reuseport == false)
        #expect(socket.uid == 1000)
        #expect(socket.cookie == nil)
        #expect(socket.local == Endpoint(address: .v4(.loopback), port: Port(8080)))
        #expect(socket.bucket?.port == Port(8080))
        #expect(try BPFEvidence().tcpSockets(ports: 8080...8080).isEmpty, "iter/tcp does not show it")
      }
    }

    @Test("Every descriptor of a socket is listed, one opened with O_PATH is not")
    func descriptors() throws {
      try inPrivateNetwork {
        let socket = try boundUDP("::1", 9000, reuseport: true)
        let copy = TestSocket(adopting: try call("dup", dup(socket.descriptor)))
        // O_PATH
        let path = TestSocket(
          adopting: try call("open", open("/proc/self/fd/\(socket.descriptor)", 0o10000000 | O_CLOEXEC)))
        let holders = try own(BPFEvidence().socketHolders(ports: 9000...9000))
        #expect(holders.map(\.descriptor).sorted() == [socket.descriptor, copy.descriptor].sorted())
        #expect(Set(holders.map(\.inode)) == [try socket.inode()])
        #expect(holders.allSatisfy { $0.pid == getpid() && $0.socket.transport == .udp })
        #expect(holders.allSatisfy { $0.socket.holdsPort == nil && $0.socket.reuseport == true })
        _ = path
      }
    }

    @Test("Asked for inodes, few or many, only their holders are listed", arguments: [0, 1, 63, 64, 200])
    func inodes(others: Int) throws {
      try inPrivateNetwork {
        let wanted = try boundTCP("127.0.0.1", 8080)
        let unwanted = try boundTCP("127.0.0.2", 8080)
        let inodes = Set((0..<others).map { UInt64(1 << 40 + $0) } + [try wanted.inode()])
        let holders = try BPFEvidence().socketHolders(ports: 8080...8080, inodes: inodes)
        #expect(holders.map(\.descriptor) == [wanted.descriptor])
        #expect(holders.map(\.inode) == [try wanted.inode()])
        let otherPort = try BPFEvidence().socketHolders(ports: 8081...8081, inodes: inodes)
        #expect(otherPort.isEmpty)
        _ = unwanted
      }
    }

    @Test("Sockets of other ports and of no port are not listed")
    func others() throws {
      try inPrivateNetwork {
        let sockets = [
          try boundTCP("127.0.0.1", 8081), try TestSocket(AF_INET), try TestSocket(AF_UNIX),
          try TestSocket(AF_INET, Int32(SOCK_RAW.rawValue), protocol: Int32(IPPROTO_ICMP)),
        ]
        #expect(try own(BPFEvidence().socketHolders(ports: 8080...8080)).isEmpty)
        #expect(try own(BPFEvidence().socketHolders(ports: 1...65535)).map(\.descriptor) == [sockets[0].descriptor])
      }
    }

    @Test("An MPTCP descriptor is listed as what it is; its subflow holds the port")
    func mptcp() throws {
      try inPrivateNetwork {
        let socket: TestSocket
        do {
          socket = try TestSocket(AF_INET, protocol: 262)
        } catch {
          print("NOT RUN, the MPTCP descriptor: this kernel has no MPTCP, \(error)")
          return
        }
        try socket.bind("127.0.0.1", 8080)
        let evidence = try BPFEvidence()
        let bound = try own(evidence.socketHolders(ports: 8080...8080))
        #expect(bound.map(\.isMPTCP) == [true])
        #expect(bound.map(\.socket.holdsPort) == [true])
        try socket.listen()
        let listening = try own(evidence.socketHolders(ports: 8080...8080))
        let subflows = try evidence.tcpSockets(ports: 8080...8080)
        #expect(subflows.map(\.holdsPort) == [true])
        #expect(listening.map(\.socket.bucket) == subflows.map(\.bucket))
      }
    }

    @Test("Processes are numbered as the reader's pid namespace numbers them")
    func pidNamespace() throws {
      try inPrivateNetwork {
        let server = try PerlProcess(
          """
          use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0);
          bind($s, sockaddr_in(8080, INADDR_ANY)) or die $!;
          syswrite(STDOUT, "bound"); sysread(STDIN, my $x, 1);
          """, wrapper: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"])
        #expect(try server.readText() == "bound")
        let holders = try own(BPFEvidence().socketHolders(ports: 8080...8080), ofChildren: true)
        try #require(holders.count == 1)
        #expect(linkText("/proc/\(holders[0].pid)/exe").contains("perl"))
      }
    }

    /// Those of the calling thread's network namespace.
    /// Those of this namespace. A child that another test starts has every descriptor of this process until it execs,
    /// so a test counts either those of this process or those of its own child.
    private func own(_ holders: [SocketHolder], ofChildren: Bool = false) throws -> [SocketHolder] {
      let namespace = try ownNetworkNamespace()
      return holders.filter { $0.networkNamespace == namespace && ($0.pid == getpid()) != ofChildren }
    }
  }
}

/// A perl program that ends when this goes: its standard input is closed, and it is waited for.
final class PerlProcess {
  let pid: Int32
  private let input: Int32
  private let output: Int32

  init(_ program: String, wrapper: [String] = []) throws {
    var (toChild, fromChild): ([Int32], [Int32]) = ([0, 0], [0, 0])
    try call("pipe2", bpftests_pipe(&toChild))
    try call("pipe2", bpftests_pipe(&fromChild))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    var arguments = (wrapper + ["/usr/bin/perl", "-e", program]).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let result = posix_spawn(&child, wrapper.first ?? "/usr/bin/perl", &actions, nil, &arguments, environ)
    close(toChild[0])
    close(fromChild[1])
    (pid, input, output) = (child, toChild[1], fromChild[0])
    guard result == 0 else { throw FailedCall(name: "posix_spawn", error: SystemError(rawValue: result)) }
  }

  /// The first thing it prints.
  func readText() throws -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(output, &buffer, buffer.count)
    guard count > 0 else { throw FailedCall(name: "perl ended", error: .noEntry) }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  deinit {
    close(input)
    close(output)
    if pid > 0 { waitpid(pid, nil, 0) }
  }
}
