import Answers
import SocketModel

/// A port of each kind that somebody else than the process holds on to: systemd, a container, the kernel, a shell.
let ownership: Report = {
  var activated = socket(
    .listen, "::", 22, v6only: no(.sockDiag), inode: 1, owner: .process,
    processes: [ProcessRecord(pid: 1, command: "systemd", descriptors: [44])])
  activated.activation = SocketActivation(unit: "ssh\u{1b}.socket", activates: "ssh.service")
  var proxy = ProcessRecord(
    pid: 9, command: "docker-proxy", executable: "/usr/bin/docker-proxy", descriptors: [4], unit: "docker.service")
  proxy.forwardsTo = Endpoint(address: .v4(IPv4Address(172, 17, 0, 2)), port: Port(80))
  var own = ProcessRecord(pid: 90, command: "mpv", descriptors: [3], unit: "web.service")
  own.userManager = 1000
  own.containerEngine = "podman"
  own.parent = 1
  own.goneLeader = 70
  var tunnel = socket(.close, "0.0.0.0", 4789, transport: .udp, reuseaddr: .unknown(.kernel), owner: .kernel)
  tunnel.kernelOwner = KernelOwner(kind: .vxlan, interface: "vx0")
  return report([
    used(22, [activated]), used(4789, [tunnel]),
    used(8080, [socket(.listen, "0.0.0.0", 8080, inode: 2, owner: .process, processes: [proxy])]),
    used(8081, [socket(.listen, "0.0.0.0", 8081, inode: 3, owner: .process, processes: [own])]),
  ])
}()
