import Glibc
@testable import Linux
@testable import SocketModel

@testable import Evidence
@testable import PortwhyReport

/// A byte for the kind of text, then the text; for units and containers a byte and parts for their files.
func fuzzControlGroups(_ input: inout FuzzInput) {
  switch input.choice(of: 6) {
  case 0: fuzzGroup(input.text())
  case 1: fuzzMounts(input.text())
  case 2: fuzzUnit(input.text())
  case 3: fuzzUnifiedGroup(input.text())
  case 4: fuzzUnitFiles(&input)
  default: fuzzContainerFiles(&input)
  }
}

private func fuzzGroup(_ text: String) {
  let group = ControlGroup(parsing: text)
  for name in [group.unit, group.container].compactMap({ $0 }) {
    require(!name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 10 }, "a name is one component of a path")
    require(text.utf8.contains(name.utf8), "a name stands in the text")
  }
  if let unit = group.unit { require(unit.contains("."), "a unit has a type") }
  require(group.engine == nil || group.container != nil, "an engine runs a container")
  if let path = group.unifiedPath {
    require(path.utf8.first == UInt8(ascii: "/") && text.utf8.contains(path.utf8), "a path of the text")
  }
}

private func fuzzMounts(_ text: String) {
  guard let point = cgroup2MountPoint(mountinfo: text) else { return }
  require(text.utf8.contains("cgroup2".utf8), "it is a mount of cgroup2")
  require(point.utf8.count <= text.utf8.count * 3, "it is not longer than the text")
}

private func fuzzUnit(_ text: String) {
  var unit = SocketUnit(name: "web.socket")
  unit.read(text)
  let addresses = unit.streams.count + unit.datagrams.count
  require(addresses <= text.utf8.count { $0 == UInt8(ascii: "=") }, "an address has an assignment")
  for address in unit.streams + unit.datagrams {
    let family = address.address?.family ?? .ipv4
    let local = Endpoint(
      address: address.address ?? (family == .ipv4 ? .v4(.any) : .v6(.any)), port: address.port)
    require(address.covers(local), "an address covers itself")
  }
  require(!unit.activates.isEmpty, "a socket unit starts something")
}

/// The unit files below a root of its own, and a socket that systemd holds, or a user's manager, or nobody who shows.
private func fuzzUnitFiles(_ input: inout FuzzInput) {
  let holder = input.choice(of: 4)
  let isUDP = input.choice(of: 2) == 1
  for file in unitFiles { files.write(file, input.part()) }
  var socket = SocketObservation(
    transport: isUDP ? .udp : .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(8080)), remote: nil,
    state: isUDP ? .close : .listen, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), v6only: nil,
    device: nil, uid: nil, inode: 4711, cookie: 1, timer: nil, receiveQueue: 0, owner: .process)
  var manager = ProcessRecord(pid: holder == 0 ? 1 : 700, command: "systemd", descriptors: [3])
  manager.isServiceManager = true
  if holder > 0 { manager.userManager = holder == 1 ? geteuid() : geteuid() + 1 }
  socket.uid = manager.userManager
  socket.processes = [manager]
  if holder == 3 {
    socket.owner = .hidden
    socket.processes = []
    socket.cgroupID = managersGroup
  }
  var sockets = [socket]
  ProcessReader().findActivations(&sockets, fileRoot: files.path, reader)
  guard let activation = sockets[0].activation else { return }
  require(["web.socket", "other.socket"].contains(activation.unit), "a unit that has a file")
  require(holder != 3 || activation.userManager == nil, "what systemd's own group made is systemd's")
}

private let unitFiles = [
  "etc/systemd/system/web.socket", "etc/systemd/system/web.socket.d/port.conf", "usr/lib/systemd/system/other.socket",
  "etc/systemd/user/web.socket", "home/alice/.config/systemd/user/other.socket",
]

/// What the inode of systemd's own control group is to be.
private let managersGroup: UInt64? = {
  var status = stat()
  return stat("\(files.path)/sys/fs/cgroup/init.scope", &status) == 0 ? UInt64(status.st_ino) : nil
}()

/// A byte for the engine, then a part for each file in which it keeps a container's name.
private func fuzzContainerFiles(_ input: inout FuzzInput) {
  let engine = ["docker", "podman", "kubernetes", "lxc", "nerdctl"][input.choice(of: 5)]
  let texts = containerFiles.map { _ in input.part() }
  for (file, text) in zip(containerFiles, texts) { files.write(file, text) }
  let root = HostTree(reader, root: files.path)
  if let label = ContainerLabel(of: containerID, engine: engine, in: root) {
    require(label.name != nil || label.image != nil, "a label says something")
  }
  require(Publication.all(in: root).values.allSatisfy { $0 == containerID }, "there is one container")
  for text in texts {
    // Two readers of JSON: what the one for reports takes, the other takes as well.
    var cursor = JSONCursor(bytes: text)
    cursor.skipBlanks()
    guard (try? cursor.skip()) != nil else { continue }
    cursor.skipBlanks()
    if cursor.next == nil { require(JSONTree(parsing: text) != nil, "JSON is read") }
  }
}

/// 64 digits, as engines have them.
private let containerID = String(repeating: "c0", count: 32)

/// A child for each input would take longer than the input.
nonisolated(unsafe) private let reader = ProcessFiles()

private let containerFiles = [
  "var/lib/docker/containers/\(containerID)/config.v2.json",
  "var/lib/containers/storage/overlay-containers/containers.json",
  "run/containerd/io.containerd.runtime.v2.task/k8s.io/\(containerID)/config.json",
]

/// Where units and containers have their files; the user whose units are read is at home there.
private let files = {
  setenv("HOME", "/home/alice", 1)
  let places = (unitFiles + containerFiles).map { file in file.split(separator: "/").dropLast() }
  let more = ["sys/fs/cgroup/init.scope", "etc/systemd/system/sockets.target.wants"].map { directory in
    directory.split(separator: "/")[...]
  }
  let directories = (places + more).flatMap { parts in parts.indices.map { parts[...$0].joined(separator: "/") } }
  let root = FakeRoot(directories: directories.reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
  root.link("etc/systemd/system/sockets.target.wants/web.socket", to: Array("../web.socket".utf8))
  return root
}()

private func fuzzUnifiedGroup(_ text: String) {
  let group = ControlGroup(parsing: text)
  if let unit = group.unit, let paths = group.pathsOfUnit {
    let isNamed = paths.unit.hasSuffix("/" + unit) || paths.unit.hasSuffix("/_" + unit)
    require(isNamed, "the path of a unit's group ends with its name")
  }
  guard let path = group.reachablePath else { return }
  require(path.utf8.first == UInt8(ascii: "/") && !path.utf8.contains(10), "a path of one line from the root")
  require(!path.utf8.split(separator: 47).contains { Array($0) == [46, 46] }, "a path that stays below its root")
}

extension Sequence where Element == UInt8 {
  /// Whether the other bytes stand in it, one after the other.
  func contains(_ other: some Sequence<UInt8>) -> Bool {
    let (whole, part) = (Array(self), Array(other))
    guard !part.isEmpty else { return true }
    guard whole.count >= part.count else { return false }
    return (0...whole.count - part.count).contains { whole[$0..<$0 + part.count].elementsEqual(part) }
  }
}
