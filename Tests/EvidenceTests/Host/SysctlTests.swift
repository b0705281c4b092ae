import Testing

@testable import Evidence

@Suite("The text of a setting")
struct SysctlTests {
  @Test("of a port range is two ordered ports or nothing")
  func range() {
    #expect(portRange("32768\t60999\n") == 32768...60999)
    for text in ["", "32768", "60999 32768", "1 2 3", "1 65536", "-1 5", "a b"] { #expect(portRange(text) == nil) }
  }

  @Test("of the reserved ports is a list of ports and ranges, empty for none, or nothing")
  func reserved() {
    #expect(reservedPorts("\n") == [] && reservedPorts("") == [])
    #expect(reservedPorts("8080,9000-9005\n") == [8080...8080, 9000...9005])
    for text in ["8080,", "9005-9000", "1-2-3", "x", "70000", "8080 8081", "-5"] {
      #expect(reservedPorts(text) == nil, "\(text)")
    }
  }

  @Test("of a switch or a port is a number or nothing")
  func numbers() {
    #expect(flag("0\n") == false && flag("1\n") == true && flag("2") == true && flag("") == nil && flag("on") == nil)
    #expect(portStart("1024\n") == 1024 && portStart("0\n") == 0 && portStart("65536") == nil && portStart("") == nil)
  }

  @Test("of SUDO_UID counts for root alone, and only as a user's number")
  func sudo() {
    #expect(sudoUser("1000", effectiveUser: 0) == 1000 && sudoUser("1000", effectiveUser: 1000) == nil)
    for text in ["", "-1", "4294967295", "4294967296", "root", "1000 "] {
      #expect(sudoUser(text, effectiveUser: 0) == nil, "\(text)")
    }
    #expect(sudoUser(nil, effectiveUser: 0) == nil)
  }

  @Test("of the control groups has the path of the unified hierarchy, whatever bytes are beside it")
  func controlGroup() {
    func reachable(_ text: String) -> String? { ControlGroup(parsing: text).reachablePath }
    #expect(reachable("4:memory:/a\r\n0::/b\u{301}\n") == "/b\u{301}")
    #expect(reachable("0::/\u{301}\n") == "/\u{301}")
    #expect(reachable("0::/..\n") == nil && reachable("0::/a/..\n") == nil)
    #expect(reachable("0::/..x/y..\n") == "/..x/y..")
    #expect(reachable("0::/../x\n") == nil && reachable("1:name=systemd:/\n") == nil)
  }

  @Test("of the security modules keeps those that can refuse a bind, the unknown ones too")
  func modules() {
    #expect(
      bindingModules("capability,landlock,lockdown,yama,apparmor,bpf,newone\n") == [
        "landlock", "apparmor", "bpf", "newone",
      ])
    #expect(bindingModules("capability").isEmpty)
  }

  @Test("of one bit is off for every even number")
  func lowest() {
    #expect(["0", "1\n", "2", "3", "254", "255"].map(lowestBit) == [false, true, false, true, false, true])
    #expect(lowestBit("-1") == nil && lowestBit("") == nil)
  }
}
