@testable import Evidence
@testable import SocketModel

/// A byte for the kind of text, then the text.
func fuzzHost(_ input: inout FuzzInput) {
  let kind = input.choice(of: 13)
  if kind == 12 { return fuzzKernelServices(&input) }
  let text = input.text()
  switch kind {
  case 0: require(portStart(text) ?? 0 <= 65535, "a port")
  case 1: _ = flag(text)
  case 2: if let range = portRange(text) { require(range.lowerBound <= range.upperBound, "a range goes up") }
  case 3: fuzzReservedPorts(text)
  // Two numbers for one kind, so that the kept corpus means what it meant.
  case 4, 5: _ = mapsEveryUser(text)
  case 6: fuzzSudoUser(text)
  case 7:
    for module in bindingModules(text) { require(module != "yama" && !module.contains(","), "a module by itself") }
  case 8:
    if let version = KernelVersion(release: text) {
      require(version.description == text, "a version prints as it was")
    }
    if let stable = KernelVersion(release: "6.1.0", version: text)?.stable {
      // The number may have zeros in front.
      require(
        text.split(separator: "Debian 6.1.").dropFirst().contains { part in
          part.drop { $0 == "0" }.hasPrefix("\(stable)")
        }, "a stable release of the text")
    }
  case 9:
    for port in nfsdPorts(text) { require(text.utf8.contains("\(port.port)".utf8), "a port of the text") }
  case 10: checkRedirects(nftRedirects(text), text)
  default: checkRedirects(iptablesRedirects(text), text)
  }
}

/// The list is the same when it is written and read again.
private func fuzzReservedPorts(_ text: String) {
  guard let ranges = reservedPorts(text) else { return }
  let again = ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
  require(reservedPorts(again) == ranges, "reserved ports are read as they are written")
}

private func fuzzSudoUser(_ text: String) {
  require(sudoUser(text, effectiveUser: 1000) == nil, "SUDO_UID counts for root only")
  guard let uid = sudoUser(text, effectiveUser: 0) else { return }
  require(uid != .max && UInt32(text) == uid, "a user has a number")
}

private func checkRedirects(_ redirects: [PortRedirect], _ text: String) {
  for redirect in redirects {
    require(redirect.ports.lowerBound <= redirect.ports.upperBound, "a range goes up")
    require(!redirect.chain.contains("\n"), "a chain stands on one line")
  }
  require(redirects.count <= text.utf8.count, "no more rules than bytes")
}

/// The lists of the NFS server and the lock manager, in files.
private func fuzzKernelServices(_ input: inout FuzzInput) {
  for file in ["fs/nfsd/portlist", "sys/fs/nfs/nlm_tcpport", "sys/fs/nfs/nlm_udpport"] {
    proc.write(file, input.part())
  }
  let ports = HostReader(procRoot: proc.path).kernelServicePorts()
  require(ports.count { $0.owner.kind == .lockd } <= 2, "the lock manager has a port of each protocol at most")
}

private let proc = {
  // The network namespace of process 1 is that of the reader: both are the same file.
  let root = FakeRoot(directories: [
    "fs", "fs/nfsd", "sys", "sys/fs", "sys/fs/nfs", "1", "1/ns", "thread-self", "thread-self/ns",
  ])
  for file in ["1/ns/net", "thread-self/ns/net"] { root.link(file, to: Array("/proc/self/ns/net".utf8)) }
  return root
}()
