import BindRules
import KernelLab
import SocketModel
import Testing

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct NamespaceTests {
  @Test("a namespace has its devices and lends none to the next")
  func devices() throws {
    let with = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in namespace.interfaces }
    let without = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in namespace.interfaces
    }
    #expect(Set(with.keys) == [.loopback, .dev0, .dev1])
    #expect(Set(with.values).count == 3)
    #expect(Set(without.keys) == [.loopback])
  }

  @Test("a sysctl set in one namespace is not seen in another")
  func sysctls() throws {
    let configuration = NamespaceConfiguration(sysctls: ["ipv4/ip_nonlocal_bind": "1"])
    let changed = try NetworkNamespace.run(configuration) { (namespace: inout NetworkNamespace) in
      try namespace.setSysctl("ipv6/bindv6only", "1")
      return [try namespace.sysctl("ipv4/ip_nonlocal_bind"), try namespace.sysctl("ipv6/bindv6only")]
    }
    let fresh = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      [try namespace.sysctl("ipv4/ip_nonlocal_bind"), try namespace.sysctl("ipv6/bindv6only")]
    }
    #expect(changed == ["1", "1"])
    #expect(fresh == ["0", "0"])
  }

  @Test("a sysctl that does not exist is an error that names it")
  func missingSysctl() {
    let configuration = NamespaceConfiguration(sysctls: ["ipv4/no_such": "1"])
    #expect(throws: NamespaceError.failed("sysctl ipv4/no_such", .noEntry)) {
      try NetworkNamespace.run(configuration) { (_: inout NetworkNamespace) in }
    }
  }

  @Test("what the body throws comes out")
  func bodyError() {
    #expect(throws: CallFailure(.bind, .addressInUse)) {
      try NetworkNamespace.run { (_: inout NetworkNamespace) in throw CallFailure(.bind, .addressInUse) }
    }
  }

  @Test("a VRF is made, or the kernel that has none is named")
  func vrf() throws {
    do {
      let (names, results) = try NetworkNamespace.run(NamespaceConfiguration(vrf: true)) {
        (namespace: inout NetworkNamespace) in
        let binds = ["10.79.0.1", "fd79::1", "fe80::79"].map {
          Scenario([], Attempt(.tcp, ip($0), device: .dev2))
        }
        var results: [String] = []
        for later: [LaterChange] in [[], [.released], []] {
          for var scenario in binds {
            scenario.later = later
            results.append(try namespace.trial(scenario, []).result.description)
          }
        }
        return (Set(namespace.interfaces.keys), results)
      }
      #expect(names == Set(LabDevice.allCases).subtracting([.missing]))
      #expect(results.prefix(3) == ["ok", "ok", "ok"] && results.suffix(3) == ["ok", "ok", "ok"])
      // Going down on the way out of the VRF, an interface loses its IPv6 addresses.
      #expect(results[3..<6] == ["ok", "bind: EADDRNOTAVAIL", "bind: EADDRNOTAVAIL"])
    } catch {
      #expect(error as? NamespaceError == .failed("rtnetlink", SystemError(rawValue: 95)))
    }
  }

  @Test("ports run out loudly, never twice the same")
  func ports() throws {
    let (ports, end) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
      (namespace: inout NetworkNamespace) in
      var ports: Set<Port> = []
      while namespace.portsLeft(.privileged) > 0 { ports.insert(try namespace.freshPort(.privileged)) }
      do {
        return (ports, "\(try namespace.freshPort(.privileged))")
      } catch {
        return (ports, "\(error)")
      }
    }
    #expect(ports.count == 1023)
    #expect(ports.max() == Port(1023))
    #expect(end == "outOfPorts")
  }

  @Test("fifty namespaces at once do not see each other's sockets")
  func parallel() async throws {
    let results = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<50 {
        group.addTask {
          try NetworkNamespace.run(NamespaceConfiguration(devices: false)) {
            (namespace: inout NetworkNamespace) in
            let scenario = Scenario([Holder(.queuedChild, .tcp, ip("0.0.0.0"))], Attempt(.tcp, ip("127.0.0.1")))
            let copy = try namespace.build(scenario)
            return [copy.tryBind([]).description, "\(try namespace.socketTable(copy.port).count)", "\(copy.port)"]
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results == Array(repeating: ["bind: EADDRINUSE", "2", "2000"], count: 50))
  }
}
