import CLinux
import CProcessTestSupport
import Glibc
import Testing

/// The address sanitizer needs what is forbidden here.
private let isTestable = getenv("PORTWHY_SANITIZED").map { String(cString: $0) } != "address"

@Suite(
  "What reads saved reports",
  .enabled(if: isTestable, "NOT RUN: the address sanitizer does not let itself be confined"))
struct ConfinementTests {
  @Test(
    "can read, where it is to read files, and write nothing, connect nothing and start nothing",
    arguments: [true, false])
  func confined(_ readsFiles: Bool) throws {
    var found = test_confined()
    try #require(test_confined(portwhy_confine, readsFiles ? 1 : 0, "/etc/passwd", &found) == 0)
    #expect(found.confines == 0)
    #expect(found.reads == 0 && found.maps_memory == 0)
    #expect(found.opens_to_read == (readsFiles ? 0 : EPERM))
    let forbidden = [
      found.opens_to_write, found.creates, found.maps_code, found.maps_a_file, found.makes_a_socket, found.signals,
      found.forks, found.executes,
    ]
    #expect(forbidden == Array(repeating: EPERM, count: forbidden.count))
  }
}
