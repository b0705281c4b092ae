import Linux
import SocketModel

// What stands in files of /proc and /sys. Nothing is read here: each text comes from whoever read it.

// MARK: Files of a process

/// The numbers of `/proc/PID/stat` that tell where a process comes from (proc_pid_stat(5)).
struct ProcessStat: Sendable, Hashable {
  var parent: Int32
  var group: Int32
  var session: Int32
  /// Ticks after boot; nil where the line ends before.
  var startTicks: UInt64?
  /// How many threads it has; nil where the line ends before.
  var threads: Int?
  /// Stopped by a signal, as Ctrl-Z does, not by a debugger: a signal that is not SIGKILL waits until it goes on.
  var isStopped: Bool
  /// Stopped by its tracer (ptrace(2)).
  var isTraced: Bool
  /// It ignores SIGTERM; nil where the line ends before. One that blocks it may well wait for it (signalfd(2)).
  var ignoresTermination: Bool?

  init?(_ stat: [UInt8]) {
    guard let fields = fieldsAfterName(stat), fields.count >= 4, let parent = Int32(fields[1]),
      let group = Int32(fields[2]),
      let session = Int32(fields[3])
    else { return nil }
    self.parent = parent
    self.group = group
    self.session = session
    threads = fields.count > 17 ? Int(fields[17]) : nil
    startTicks = fields.count > 19 ? UInt64(fields[19]) : nil
    // What a debugger has stopped no SIGCONT lets go on.
    (isStopped, isTraced) = (fields[0] == "T", fields[0] == "t")
    guard fields.count > 30, let ignored = UInt64(fields[30]) else { return }
    ignoresTermination = ignored & 1 << 14 != 0  // SIGTERM is signal 15
  }

  /// When the process was started, in whole seconds since the epoch.
  var startedAt: Double? {
    guard let startTicks, let boot = Clock.boot else { return nil }
    return (boot + Double(startTicks) / Clock.ticksPerSecond).rounded(.down)
  }
}

/// Whether `/proc/PID/stat` is that of a process with descriptors: not a kernel thread and not a zombie.
func mayHoldDescriptors(stat: [UInt8]) -> Bool {
  guard let fields = fieldsAfterName(stat), fields.count > 6 else { return true }
  if fields[0] == "Z" || fields[0] == "X" { return false }
  let isKernelThread: UInt32 = 0x0020_0000  // PF_KTHREAD, include/linux/sched.h
  guard let flags = UInt32(fields[6]) else { return true }
  return flags & isKernelThread == 0
}

/// The state, the parent and what follows, up to the ignored signals and the rest of the line in one; nil where there is
/// no name.
private func fieldsAfterName(_ stat: [UInt8]) -> [Substring]? {
  // The command name may hold anything, brackets and blanks too: the fields start after the last ")".
  guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
  let text = String(decoding: stat[stat.index(after: end)...], as: UTF8.self)
  return text.utf8.split(separator: UInt8(ascii: " "), maxSplits: 31).map { Substring($0) }
}

/// `-container-ip ADDRESS -container-port PORT` of a docker-proxy, also written with two dashes or with `=`.
func dockerProxyTarget(arguments: [String]) -> Endpoint? {
  func value(_ name: String) -> String? {
    for (index, word) in arguments.enumerated() {
      let option = word.hasPrefix("--") ? word.dropFirst(2) : word.hasPrefix("-") ? word.dropFirst(1) : ""
      if option == name { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if option.hasPrefix(name + "=") { return String(option.dropFirst(name.count + 1)) }
    }
    return nil
  }
  guard let address = value("container-ip").flatMap({ IPAddress($0) }),
    let port = value("container-port").flatMap({ Port(decimal: $0[...]) })
  else { return nil }
  return Endpoint(address: address, port: port)
}

/// The systemd unit and the container a process belongs to, as its control group names them (cgroups(7)).
struct ControlGroup: Sendable, Hashable {
  /// A unit of this host that can be named to systemctl(1), spelled as systemd spells it: `\x2d` is part of the
  /// name. Nil in a slice, in a login session and for systemd itself (`session-3.scope`, `init.scope`,
  /// `user@1000.service`): stopping those is no way to free a port.
  var unit: String?
  /// The full container id (Docker, podman, containerd, CRI-O) or the LXC name; of nested containers the outer
  /// one, which the tools of this host know.
  var container: String?
  /// The uid of the user manager below whose group this is: whatever is named there, units and containers, that user
  /// may have named (systemd delegates `user@UID.service`).
  var userManager: UInt32?
  /// It is the group of the user manager itself, `user@UID.service/init.scope`.
  var isUserManagersOwn = false
  /// Who runs the container: `docker`, `podman`, `kubernetes`, `nerdctl`, `lxc`.
  var engine: String?
  /// The uid whose user manager this is the group of: `user@UID.service/init.scope`, where systemd puts itself.
  var managerOf: UInt32? { isUserManagersOwn ? userManager : nil }
  /// The path below the cgroup2 mount; nil on a host with cgroup v1 alone.
  var unifiedPath: String?
  /// The path in systemd's own hierarchy of version 1 (`name=systemd`); nil where there is none.
  private var systemdPath: String?

  /// Reads the text of `/proc/PID/cgroup`, a line `HIERARCHY:CONTROLLERS:PATH` for each hierarchy.
  ///
  /// On a hybrid host systemd's own v1 hierarchy (`name=systemd`) and the v2 one (`0::`) say the same, or v2 is
  /// empty, or somebody has moved a process in one of them alone, as version 1 lets a user do below his own groups. So
  /// one hierarchy says everything: that with a user's manager before all others, then the first with a container, which
  /// may show in a controller's hierarchy only, then the first of systemd's with a unit. Of two managers none is
  /// believed.
  init(parsing text: String) {
    // By bytes, as the kernel does: a combining mark after a separator would make another character of it.
    var places: [(place: Place, isSystemds: Bool)] = []
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        .map { Substring($0) }
      guard fields.count == 3, fields[2].utf8.first == UInt8(ascii: "/") else { continue }
      let isUnified = fields[0] == "0" && fields[1].isEmpty
      if isUnified { unifiedPath = String(fields[2]) }
      if fields[1] == "name=systemd" { systemdPath = String(fields[2]) }
      places.append((Self.place(of: fields[2]), isUnified || fields[1] == "name=systemd"))
    }
    let managers = Set(places.compactMap(\.place.userManager))
    let telling =
      places.first { $0.place.userManager != nil } ?? places.first { $0.place.container != nil }
      ?? places.first { $0.isSystemds && $0.place.unit != nil }
    guard let (place, isSystemds) = telling else { return }
    userManager = place.userManager
    guard managers.count < 2 else { return }
    isUserManagersOwn = place.isUserManagersOwn && isSystemds
    (container, engine) = (place.container, place.engine)
    if isSystemds { unit = place.unit }
  }

  /// The path, where it lies inside of the reader's cgroup namespace: what lies outside is written from the inside,
  /// "/.." for each step up. A group may be called "..x".
  var reachablePath: String? { unifiedPath.flatMap(Self.reachable) }

  private static func reachable(_ path: String) -> String? {
    path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) } ? nil : path
  }

  /// Walks the path from the root; below a container's own group the names are those of another systemd.
  ///
  /// The unit is the first below the slices (systemd's `cg_path_get_unit`): what lies below it, it has named itself. Of a
  /// user manager, which is what systemd calls so at the place where it makes it, the same counts from there.
  private static func place(of path: Substring) -> Place {
    var place = Place()
    var previous = ""
    var slices: [String] = []
    let components = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.filter { $0 != ".." }
    for component in components {
      // Below its own group a service with `Delegate=` names groups as it likes, and below the manager of a user he does,
      // whose those names are.
      let isEngines = !place.metUnit || place.userManager != nil || place.isBelowEngine
      if isEngines, let container = containerName(component, after: previous) {
        place.container = container
        place.engine = engine(component, after: previous, in: path)
        return place
      }
      // Somebody may have been given what lies below another name by pam_cgfs(8), as /user/NAME, or by hand.
      let isRoots = component.hasSuffix(".slice") || isUnit(component) || engineRoots.contains(component)
      if slices.isEmpty, !isRoots { break }
      if component == "payload" { break }  // systemd-nspawn(1) puts the guest's groups below it
      // systemd puts "_" before a name that the kernel could take for a file of its own (`cg_escape`).
      let name = component.hasPrefix("_") ? String(component.dropFirst()) : component
      if let uid = userManager(name), place.userManager == nil, !place.metUnit,
        slices == ["user.slice", "user-\(uid).slice"]
      {
        place.userManager = uid
        place.isUserManagersOwn = components.dropFirst(3) == ["init.scope"]
      } else if isUnit(name), !place.metUnit,
        place.userManager != nil || slices.allSatisfy({ $0.hasSuffix(".slice") })
      {
        place.metUnit = true
        place.isBelowEngine = slices == ["system.slice"] && engineUnits.contains(name)
        place.unit = isWorthNaming(name) ? name : nil
      }
      slices.append(component)
      previous = component
    }
    return place
  }

  /// The paths of the unit's own group and of the process's, in the hierarchy that names the unit; nil where it is not to
  /// be reached.
  var pathsOfUnit: (unit: String, process: String)? {
    guard let unit else { return nil }
    for path in [unifiedPath, systemdPath].compactMap({ $0.flatMap(Self.reachable) }) {
      var groups = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
      while let last = groups.last, last != unit, last != "_" + unit { groups.removeLast() }
      if !groups.isEmpty { return ("/" + groups.joined(separator: "/"), path) }
    }
    return nil
  }

  private struct Place {
    var unit: String?
    var container: String?
    var userManager: UInt32?
    var isUserManagersOwn = false
    var engine: String?
    /// Below the first unit, named or not.
    var metUnit = false
    /// That unit is a container engine's, which puts its containers below its own group (cgroupfs driver).
    var isBelowEngine = false
  }

  private static let engineUnits: Set<String> = [
    "docker.service", "snap.docker.dockerd.service", "containerd.service", "crio.service", "kubelet.service",
    "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service", "podman.service", "lxc.service",
    "snap.lxd.daemon.service", "incus.service",
  ]

  /// The groups of root's that engines put their containers into where systemd does not (cgroupfs driver).
  private static let engineRoots: Set<String> = [
    "docker", "kubepods", "lxc", "lxc.payload", "libpod_parent", "podman", "default", "k8s.io", "crio", "ecs",
    "actions_job", "garden", "machine",
  ]

  /// The uid of `user@UID.service`.
  private static func userManager(_ name: String) -> UInt32? {
    guard name.hasPrefix("user@"), name.hasSuffix(".service") else { return nil }
    return UInt32(name.dropFirst("user@".count).dropLast(".service".count))
  }

  /// The engine that names its groups so: `docker-ID.scope` and `docker/ID`, `libpod-ID`, `libpod_parent/libpod-ID`,
  /// `nerdctl-ID`, `cri-containerd-ID`, `crio-ID` and everything in a `kubepods` slice.
  private static func engine(_ component: String, after previous: String, in path: Substring) -> String? {
    if previous.hasPrefix("lxc") || component.hasPrefix("lxc.payload") { return "lxc" }
    if path.place(of: "kubepods") != nil { return "kubernetes" }
    let prefixes = [
      ("docker-", "docker"), ("libpod-", "podman"), ("cri-containerd-", "kubernetes"), ("crio-", "kubernetes"),
      ("nerdctl-", "nerdctl"),
    ]
    if let known = prefixes.first(where: { component.hasPrefix($0.0) }) { return known.1 }
    return previous == "docker" ? "docker" : nil
  }

  /// systemd.unit(5): the types of unit that can hold processes, and the letters of a unit's name. A user may call a group
  /// below his own as he likes.
  private static func isUnit(_ name: String) -> Bool {
    [".service", ".scope", ".socket", ".mount", ".swap"].contains { name.hasSuffix($0) && name.count > $0.count }
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: ":-_.\\@".utf8.contains(byte)
        }
      }
  }

  private static func isWorthNaming(_ unit: String) -> Bool {
    !(unit == "init.scope" || unit.hasPrefix("session-") && unit.hasSuffix(".scope")
      || unit.hasPrefix("user@") && unit.hasSuffix(".service"))
  }

  /// `ID`, `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID`, `SLICE:cri-containerd:ID`, `lxc/NAME`,
  /// `lxc.payload.NAME`, `lxc.payload/NAME`, where ID is 64 hexadecimal digits.
  private static func containerName(_ component: String, after previous: String) -> String? {
    if previous == "lxc" || previous == "lxc.payload" { return component }
    if component.hasPrefix("lxc.payload.") { return String(component.dropFirst("lxc.payload.".count)) }
    let bytes = Array((component.hasSuffix(".scope") ? component.dropLast(".scope".count) : component[...]).utf8)
    guard bytes.count >= 64, bytes.suffix(64).allSatisfy(isLowerHex) else { return nil }
    let before = bytes.dropLast(64).last
    guard before == nil || before == UInt8(ascii: "-") || before == UInt8(ascii: ":") else { return nil }
    return String(decoding: bytes.suffix(64), as: UTF8.self)
  }

  private static func isLowerHex(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}

/// The place of the first cgroup2 mount whose root is that of the hierarchy (proc_pid_mountinfo(5)).
func cgroup2MountPoint(mountinfo: String) -> String? {
  // By bytes: neither a carriage return nor a combining mark in a name may hide a separator.
  for line in mountinfo.utf8.split(separator: UInt8(ascii: "\n")) {
    // 36 35 98:0 ROOT MOUNT_POINT OPTIONS [optional fields] - TYPE SOURCE OPTIONS
    let fields = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
    guard fields.count > 5, fields[3] == "/", let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count,
      fields[dash + 1] == "cgroup2"
    else { continue }
    return withoutOctalEscapes(fields[4])
  }
  return nil
}

/// `\040` and the like, as the kernel writes blanks in mount points (kernel function `mangle`).
private func withoutOctalEscapes(_ text: Substring) -> String {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\"), rest.count >= 3,
      let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
    {
      bytes.append(value)
      rest = rest.dropFirst(3)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}

// MARK: Files of the host

// How the kernel writes the sysctls that are read here (Documentation/networking/ip-sysctl.rst). A text of another
// form is nil: better no fact than a wrong one.

/// The text without the blanks and the newline around it.
func trimmed(_ text: String) -> Substring {
  let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" }
  let start = text.drop(while: isBlank)
  guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
  return start[...last]
}

/// A decimal number without sign; nil for anything else.
func decimal<Number: FixedWidthInteger & UnsignedInteger>(_ text: Substring) -> Number? {
  text.isDecimal ? Number(text) : nil
}

/// `ip_unprivileged_port_start`, 0...65535.
func portStart(_ text: String) -> UInt32? {
  guard let number: UInt16 = decimal(trimmed(text)) else { return nil }
  return UInt32(number)
}

/// A switch: 0 is off, every other number is on.
func flag(_ text: String) -> Bool? {
  guard let number: UInt32 = decimal(trimmed(text)) else { return nil }
  return number != 0
}

/// A number of 8 bits that goes into one bit of a socket: every even one is off.
func lowestBit(_ text: String) -> Bool? {
  guard let number: UInt32 = decimal(trimmed(text)) else { return nil }
  return number & 1 == 1
}

/// `ip_local_port_range`: two numbers with blanks between them.
func portRange(_ text: String) -> ClosedRange<UInt16>? {
  let words = text.split { $0 == " " || $0 == "\t" || $0 == "\n" }
  guard words.count == 2, let low: UInt16 = decimal(words[0]), let high: UInt16 = decimal(words[1]), low <= high
  else { return nil }
  return low...high
}

/// `ip_local_reserved_ports`: numbers and ranges `a-b` with commas between them; empty for none.
func reservedPorts(_ text: String) -> [ClosedRange<UInt16>]? {
  let list = trimmed(text)
  guard !list.isEmpty else { return [] }
  var ranges: [ClosedRange<UInt16>] = []
  for item in list.split(separator: ",", omittingEmptySubsequences: false) {
    let ends = item.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let low: UInt16 = decimal(ends[0]), let high: UInt16 = decimal(ends.last ?? ""), low <= high else {
      return nil
    }
    ranges.append(low...high)
  }
  return ranges
}

/// Whether a uid_map leaves no uid out: lines of "first inside, first outside, count" (user_namespaces(7)). A child
/// cannot map what its parent does not, so the counts alone tell.
func mapsEveryUser(_ map: String) -> Bool {
  var count: UInt64 = 0
  for line in map.split(separator: "\n") {
    let words = line.split(separator: " ")
    guard words.count == 3, let length: UInt32 = decimal(words[2]) else { return false }
    count += UInt64(length)
  }
  return count >= UInt64(UInt32.max)
}

/// `SUDO_UID`, believed only where the reader runs as root: anybody can set an environment variable, but only
/// root's was set by sudo(8). (uid_t)-1 is no user.
func sudoUser(_ text: String?, effectiveUser: UInt32) -> UInt32? {
  guard effectiveUser == 0, let text, let uid: UInt32 = decimal(text[...]), uid != .max else { return nil }
  return uid
}

/// The security modules of `/sys/kernel/security/lsm` that can refuse a bind(2). The ones left out have no hook
/// there (`security_socket_bind`); one that is not known here stays.
func bindingModules(_ text: String) -> [String] {
  let silent: Set<Substring> = [
    "capability", "lockdown", "yama", "safesetid", "loadpin", "integrity", "ima", "evm", "ipe",
  ]
  return trimmed(text).split(separator: ",").filter { !silent.contains($0) }.map(String.init)
}
