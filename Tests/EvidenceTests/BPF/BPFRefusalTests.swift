import CBPFTests
import Glibc
import SocketModel
import Testing

@testable import Evidence

extension KernelSuite {
  @Suite struct Refusals {
    @Test("A thread without CAP_BPF and CAP_PERFMON gets an error that names them")
    func capabilities() throws {
      try inPrivateNetwork {
        try call("capset", bpftests_keep_capabilities(0))
        let evidence = try BPFEvidence()
        let missing = BPFError.notPermitted(missing: ["CAP_BPF", "CAP_PERFMON"])
        #expect(BPFEvidence.obstacle() == missing)
        #expect(throws: missing) { try evidence.tcpSockets(ports: 80...80) }
        #expect(throws: missing) { try evidence.udpSockets(ports: 80...80) }
        #expect(throws: missing) { try evidence.socketHolders(ports: 80...80) }
      }
    }

    @Test("CAP_BPF and CAP_PERFMON are enough")
    func enough() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: true)
        let udp = [try boundUDP("127.0.0.1", 8080), try boundUDP("::1", 8080)]
        try call("capset", bpftests_keep_capabilities(1 << 38 | 1 << 39))
        #expect(BPFEvidence.obstacle() == nil)
        let evidence = try BPFEvidence()
        #expect(try evidence.tcpSockets(ports: 8080...8080).map(\.reuseaddr) == [true])
        #expect(try evidence.udpSockets(ports: 8080...8080).map(\.chainPosition) == [0, 1])
        #expect(try evidence.socketHolders(ports: 8080...8080).contains { $0.descriptor == server.descriptor })
        _ = udp
      }
    }

    @Test("bpf(2) refused by a seccomp filter is an error that names no capability")
    func seccomp() throws {
      try onOwnThread {
        try call("seccomp", bpftests_forbid_bpf())
        let evidence = try BPFEvidence()
        #expect(throws: BPFError.notPermitted(missing: [])) { try evidence.tcpSockets(ports: 80...80) }
      }
    }

    @Test("A program that the verifier refuses gives the verifier's words")
    func verifier() throws {
      let evidence = try BPFEvidence()
      let error = #expect(throws: BPFError.self) {
        try evidence.records(.tcp, [BPFInstruction.exit.encoded], .tcp)
      }
      let log: String? = if case .verifierRefused(let log)? = error { log } else { nil }
      #expect(log?.contains("R0 !read_ok") == true)
    }

    @Test("A function that is no iterator is refused with an error")
    func notAnIterator() throws {
      var layout = try BPFEvidence().layout
      layout.iterators[.tcp] = 1
      let evidence = BPFEvidence(layout: layout)
      #expect(throws: BPFError.self) { try evidence.tcpSockets(ports: 80...80) }
      layout.iterators[.tcp] = nil
      let older = BPFEvidence(layout: layout)
      #expect(throws: BPFError.missingFromKernel("bpf_iter_tcp")) { try older.tcpSockets(ports: 80...80) }
    }

    @Test("A kernel whose types lack what can be missing still gives the rest")
    func fieldsMissing() throws {
      try inPrivateNetwork {
        let server = try listener("127.0.0.1", 8080, reuseaddr: true)
        try leaveTimeWait(server, "127.0.0.1", 8080)
        let udp = [try boundUDP("127.0.0.1", 8080), try boundUDP("::1", 8080)]
        var layout = try BPFEvidence().layout
        layout.bucket = nil
        layout.bindHash = nil
        layout.timeWaitBucket = nil
        layout.timeWaitSubstate = nil
        layout.namespaceInode = nil
        layout.common.reuseport = nil
        layout.common.node = nil
        layout.files?.pids = nil
        layout.files?.sockUID = nil
        let evidence = BPFEvidence(layout: layout)
        let tcp = try evidence.tcpSockets(ports: 8080...8080)
        #expect(Set(tcp.map(\.state)) == [.listen, .timeWait])
        #expect(tcp.map(\.reuseaddr) == [true, true])
        #expect(tcp.map(\.reuseport) == [nil, nil])
        #expect(tcp.map(\.holdsPort) == [nil, nil])
        #expect(try evidence.udpSockets(ports: 8080...8080).map(\.chainPosition) == [nil, nil])
        let holder = try evidence.socketHolders(ports: 8080...8080).first { $0.descriptor == server.descriptor }
        #expect(holder?.pid == getpid())
        #expect(holder?.networkNamespace == nil)
        #expect(holder?.socket.uid == nil)
        _ = udp
      }
    }

    @Test("No descriptor of BPF is left open, whether a walk works or not")
    func descriptors() throws {
      try inPrivateNetwork {
        let evidence = try BPFEvidence()
        for _ in 0..<5 {
          _ = try evidence.tcpSockets(ports: 80...80)
          _ = try evidence.udpSockets(ports: 0...65535)
          _ = try evidence.socketHolders(ports: 80...80)
          _ = try? evidence.records(.tcp, [BPFInstruction.exit.encoded], .tcp)
        }
        #expect(try openBPFDescriptors() == 0)
      }
    }
  }
}
