import CLinux
import Glibc
import SocketModel
import Testing

@testable import Evidence

private func held(
  _ port: UInt16, by pid: Int32 = 1, _ command: String = "systemd", transport: TransportProtocol = .tcp,
  address: IPAddress = .v6(.any)
) -> SocketObservation {
  var manager = ProcessRecord(pid: pid, command: command, descriptors: [30])
  manager.isServiceManager = pid == 1 && command == "systemd"
  return SocketObservation(
    transport: transport, family: address.family, local: Endpoint(address: address, port: Port(port)),
    state: transport == .tcp ? .listen : .close, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), inode: 5,
    owner: .process, processes: [manager])
}

extension FakeProc {
  fileprivate func unit(_ path: String, _ text: String) {
    directory(path.split(separator: "/").dropLast().joined(separator: "/"))
    file(path, text.utf8)
  }

  fileprivate func activation(_ socket: SocketObservation) -> SocketActivation? {
    var sockets = [socket]
    ProcessReader(procRoot: root).findActivations(&sockets, fileRoot: root)
    return sockets[0].activation
  }
}

private let ssh = "[Unit]\nBefore=sockets.target\n[Socket]\nListenStream=22\nAccept=no\n[Install]\n"

@Suite("The socket unit behind a port that systemd holds")
struct SocketUnitTests {
  @Test("is the one whose ListenStream names the port, with what it starts")
  func plain() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/ssh.socket", ssh)
      files.unit("usr/lib/systemd/system/other.socket", "[Socket]\nListenStream=/run/x\nListenDatagram=22\n")
      #expect(files.activation(held(22)) == SocketActivation(unit: "ssh.socket", activates: "ssh.service"))
      #expect(files.activation(held(23)) == nil)
      var passed = held(22)
      passed.uid = 0
      #expect(files.activation(passed)?.unit == "ssh.socket")
      passed.uid = 65534
      #expect(files.activation(passed) == nil, "from a service that had systemd keep it")
      #expect(
        files.activation(held(22, transport: .udp))
          == SocketActivation(unit: "other.socket", activates: "other.service"))
    }
  }

  @Test("takes the first directory of the load path, and drop-ins in the order of their names")
  func precedence() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/ssh.socket", ssh)
      files.unit("usr/lib/systemd/system/ssh.socket.d/50-x.conf", "[Socket]\nListenStream=2200\n")
      files.unit("run/systemd/generator/ssh.socket.d/addresses.conf", "[Socket]\nListenStream=\nListenStream=2222\n")
      files.unit("etc/systemd/system/ssh.socket.d/50-x.conf", "[Socket]\nListenStream=99\n")
      #expect(files.activation(held(2222))?.unit == "ssh.socket")
      for port in [UInt16(22), 99, 2200] { #expect(files.activation(held(port)) == nil, "\(port)") }
    }
  }

  @Test("is not one that is masked, a template, or another's address")
  func excluded() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/a.socket", ssh)
      files.directory("etc/systemd/system")
      files.link("etc/systemd/system/a.socket", to: "/dev/null")
      files.unit("usr/lib/systemd/system/b@.socket", ssh)
      files.unit("usr/lib/systemd/system/c.socket", "[Socket]\nListenStream=127.0.0.1:22\n")
      files.unit("usr/lib/systemd/system/d.socket", "[Service]\nListenStream=22\n")
      #expect(files.activation(held(22)) == nil)
      #expect(files.activation(held(22, address: .v4(.loopback)))?.unit == "c.socket")
    }
  }

  @Test("starts nobody knows what where one of its files cannot be read")
  func unread() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/ssh.socket", ssh)
      files.directory("etc/systemd/system/ssh.socket.d")
      files.link("etc/systemd/system/ssh.socket.d/50-service.conf", to: "/nonexistent/file")
      #expect(files.activation(held(22)) == SocketActivation(unit: "ssh.socket", activates: nil))
    }
  }

  @Test("is the enabled one of two that name the port, and unknown between equals")
  func enabled() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/a.socket", ssh)
      files.unit("usr/lib/systemd/system/b.socket", ssh)
      #expect(files.activation(held(22)) == nil)
      files.unit("etc/systemd/system/sockets.target.wants/b.socket", ssh)
      #expect(files.activation(held(22))?.unit == "b.socket")
    }
  }

  @Test("is the one in whose control group systemd made the socket, whatever the files of others say")
  func controlGroup() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/panel.socket", "[Socket]\nListenStream=9090\nService=web.service\n")
      files.unit("usr/lib/systemd/system/cockpit.socket", "[Socket]\nListenStream=9090\n")
      files.unit("etc/systemd/system/sockets.target.wants/cockpit.socket", "")
      for hierarchy in ["sys/fs/cgroup", "sys/fs/cgroup/unified"] {
        for (name, starts) in [("panel", "web.service"), ("unwritten", nil)] as [(String, String?)] {
          let group = "\(hierarchy)/system.slice/\(name).socket"
          files.directory(group)
          var status = stat()
          stat("\(files.root)/\(group)", &status)
          var socket = held(9090)
          socket.cgroupID = UInt64(status.st_ino)
          let wanted = SocketActivation(unit: "\(name).socket", activates: starts)
          #expect(files.activation(socket) == wanted)
          socket.owner = .hidden
          socket.processes = []
          #expect(files.activation(socket) == wanted, "anybody can see that")
          socket.cgroupID = 1
          #expect(files.activation(socket) == nil, "made by somebody else")
        }
      }
      #expect(files.activation(held(9090))?.unit == "cockpit.socket", "an old kernel does not tell")
    }
  }

  @Test("starts what Service= names, or with Accept=yes an instance for each connection")
  func activates() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/a.socket", "[Socket]\nListenStream=1\nService=web.service\n")
      files.unit("usr/lib/systemd/system/b.socket", "[Socket]\n# x\nListenStream = \\\n 2 \nAccept=yes\n")
      #expect(files.activation(held(1))?.activates == "web.service")
      #expect(files.activation(held(2))?.activates == "b@.service")
    }
  }

  @Test("is looked for in the user's directories where a user manager holds the port, and not for other processes")
  func users() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/a.socket", ssh)
      files.unit("etc/systemd/user/b.socket", ssh)
      files.unit("etc/systemd/user/sockets.target.wants/b.socket", ssh)
      var socket = held(22, by: 700)
      socket.uid = 1000
      socket.processes[0].userManager = 1000
      #expect(files.activation(socket) == nil, "what calls itself systemd")
      socket.processes[0].isServiceManager = true
      #expect(
        files.activation(socket) == SocketActivation(unit: "b.socket", activates: "b.service", userManager: 1000))
      socket.uid = 1001
      #expect(files.activation(socket) == nil, "another user's socket, handed over")
      #expect(files.activation(held(22, by: 700, "sshd")) == nil)
      #expect(files.activation(held(22, by: 1, "nginx")) == nil, "process 1 of a container")
    }
  }

  @Test("is named for a hidden socket only if it was made in systemd's own control group")
  func hidden() throws {
    try withFakeProc { files in
      files.unit("usr/lib/systemd/system/ssh.socket", ssh)
      files.directory("sys/fs/cgroup/init.scope")
      var status = stat()
      stat("\(files.root)/sys/fs/cgroup/init.scope", &status)
      var socket = held(22)
      socket.owner = .hidden
      socket.processes = []
      #expect(files.activation(socket) == nil)
      socket.cgroupID = UInt64(status.st_ino)
      #expect(files.activation(socket)?.unit == "ssh.socket")
      socket.cgroupID = UInt64(status.st_ino) &+ 1
      #expect(files.activation(socket) == nil)
    }
  }
}
