import Testing

@testable import Evidence

private let id = "4f66ad9a0b2e1b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"
private let otherID = String(repeating: "0a", count: 32)

@Suite struct ControlGroupTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var says: String
    var text: String
    var unit: String?
    var container: String?
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "a system service", text: "0::/system.slice/nginx.service", unit: "nginx.service"),
    Row(
      says: "an instance of a template", text: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service",
      unit: "postgresql@15-main.service"),
    Row(
      says: "a service of a user's systemd",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", unit: "foo.service"),
    Row(
      says: "a scope of a user's systemd",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x\\x2dterm-7.scope",
      unit: "app-gnome-x\\x2dterm-7.scope"),
    Row(
      says: "an escape is part of the unit's name", text: "0::/system.slice/foo@a\\x2db.service",
      unit: "foo@a\\x2db.service"),
    Row(
      says: "systemd's underscore is not part of the name", text: "0::/system.slice/_cgroup.service",
      unit: "cgroup.service"),
    Row(
      says: "a group that a service made below its own", text: "0::/system.slice/docker.service/init",
      unit: "docker.service"),
    Row(says: "a socket unit's helper", text: "0::/system.slice/ssh.socket", unit: "ssh.socket"),
    Row(says: "a mount unit's helper", text: "0::/system.slice/srv-data.mount", unit: "srv-data.mount"),
    Row(says: "a login session is not a unit to stop", text: "0::/user.slice/user-0.slice/session-3.scope"),
    Row(says: "systemd itself is not a unit to stop", text: "0::/init.scope"),
    Row(
      says: "a user's systemd is not a unit to stop",
      text: "0::/user.slice/user-1000.slice/user@1000.service/init.scope"),
    Row(says: "a slice is no unit", text: "0::/system.slice"),
    Row(says: "the root group", text: "0::/"),
    Row(says: "outside of the cgroup namespace", text: "0::/../../system.slice/a.service", unit: "a.service"),
    Row(says: "a name that is only the suffix", text: "0::/.service"),
    Row(says: "no text at all", text: ""),
    Row(says: "nonsense", text: "0:\nx\n0::relative.service\n::::\n"),
    Row(
      says: "a combining mark does not hide the slash before it",
      text: "0::/\u{301}x.slice/web.service", unit: "web.service"),
    Row(
      says: "a group with letters that no unit has is none",
      text:
        "0::/user.slice/user-1000.slice/user@1000.service/web.service (pid 1, root) listens; end it: kill 42 .service"
    ),
    Row(says: "a path with colons", text: "0::/system.slice/a:b.service", unit: "a:b.service"),
    Row(
      says: "cgroup v1: systemd's own hierarchy",
      text: "5:memory:/system.slice/wrong.service\n1:name=systemd:/system.slice/cron.service", unit: "cron.service"),
    Row(
      says: "hybrid: v2 is empty", text: "9:name=systemd:/system.slice/cron.service\n0::/", unit: "cron.service"),
    Row(says: "Docker with systemd", text: "0::/system.slice/docker-\(id).scope", container: id),
    Row(says: "Docker with cgroupfs", text: "0::/docker/\(id)", container: id),
    Row(says: "Docker on cgroup v1", text: "4:memory:/docker/\(id)\n1:name=systemd:/docker/\(id)", container: id),
    Row(says: "a controller alone knows the container", text: "4:memory:/docker/\(id)\n0::/", container: id),
    Row(
      says: "a service of a systemd inside a container is not this host's",
      text: "0::/system.slice/docker-\(id).scope/system.slice/nginx.service", container: id),
    Row(
      says: "Kubernetes with containerd",
      text:
        "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_ab.slice/cri-containerd-\(id).scope",
      container: id),
    Row(says: "Kubernetes with cgroupfs", text: "0::/kubepods/burstable/pod12-ab/\(id)", container: id),
    Row(
      says: "Kubernetes, containerd's own notation",
      text: "0::/system.slice/kubepods-pod1.slice:cri-containerd:\(id)", container: id),
    Row(says: "CRI-O", text: "0::/kubepods.slice/crio-\(id).scope/container", container: id),
    Row(says: "podman", text: "0::/machine.slice/libpod-\(id).scope/container", container: id),
    Row(
      says: "podman's monitor, which holds published ports", text: "0::/machine.slice/libpod-conmon-\(id).scope",
      container: id),
    Row(
      says: "podman started by a unit of this host, which may have made up the name",
      text: "0::/system.slice/web.service/libpod-payload-\(id)", unit: "web.service"),
    Row(
      says: "a service that names groups below its own", text: "0::/system.slice/ci.service/docker-\(id).scope",
      unit: "ci.service"),
    Row(says: "a login session likewise", text: "0::/user.slice/user-1.slice/session-3.scope/docker/\(id)"),
    Row(
      says: "an engine that puts its containers below its own service",
      text: "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:\(id)",
      unit: "containerd.service", container: id),
    Row(
      says: "an engine's name below a service",
      text: "0::/system.slice/ci.service/system.slice/docker.service/docker/\(id)", unit: "ci.service"),
    Row(
      says: "hybrid: the container's hierarchy names the unit too, and that has none",
      text: "1:name=systemd:/docker/\(id)\n0::/system.slice/containerd.service", container: id),
    Row(
      says: "podman of a user",
      text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope/container",
      container: id),
    Row(says: "of nested containers the outer one", text: "0::/docker/\(id)/docker/\(otherID)", container: id),
    Row(says: "LXC", text: "0::/lxc/web1", container: "web1"),
    Row(says: "LXC 4", text: "0::/lxc.payload.web1/system.slice/nginx.service", container: "web1"),
    Row(says: "LXC 3", text: "0::/lxc.payload/web1/init.scope", container: "web1"),
    Row(
      says: "nspawn: the guest's units are not this host's",
      text: "0::/machine.slice/systemd-nspawn@deb.service/payload/system.slice/nginx.service",
      unit: "systemd-nspawn@deb.service"),
    Row(
      says: "what pam_cgfs(8) gave to a user, who names groups there as he likes",
      text: "4:freezer:/user/bob/0/docker/\(id)\n1:name=systemd:/user/bob/0/nginx.service\n0::/"),
    Row(says: "what somebody delegated by hand", text: "0::/bobs/docker-\(id).scope"),
    Row(says: "the same, as a unit", text: "0::/bobs/nginx.service"),
    Row(says: "a unit outside of the slices", text: "0::/docker/nginx.service"),
    Row(says: "a runner's containers, by cgroupfs", text: "0::/actions_job/\(id)", container: id),
    Row(says: "63 digits are no container", text: "0::/docker/\(id.dropLast())"),
    Row(says: "65 digits are no container", text: "0::/docker/\(id)0"),
    Row(says: "capital digits are no container", text: "0::/docker/\(id.uppercased())"),
  ]

  @Test("unit and container of a recorded /proc/PID/cgroup", arguments: rows)
  func recorded(_ row: Row) {
    let group = ControlGroup(parsing: row.text)
    #expect(group.unit == row.unit)
    #expect(group.container == row.container)
  }

  @Test("the path below the cgroup2 mount is that of hierarchy 0 alone")
  func unifiedPath() {
    #expect(ControlGroup(parsing: "1:name=systemd:/a\n0::/b/c\n").unifiedPath == "/b/c")
    #expect(ControlGroup(parsing: "1:name=systemd:/a\n").unifiedPath == nil)
  }
}
