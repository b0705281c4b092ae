import CArguments
import Glibc
import Testing

/// The variables of a list that ends with NULL.
private func variables(_ list: UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> [String] {
  var variables: [String] = []
  var next = list
  while let here = next, let variable = here.pointee {
    variables.append(String(cString: variable))
    next = here + 1
  }
  return variables
}

@Suite("The environment")
struct KeptEnvironmentTests {
  @Test("is kept as execve(2) gave it, for a program that is started later")
  func kept() throws {
    let file = try #require(fopen("/proc/self/environ", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    let given = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    #expect(!given.isEmpty)
    #expect(variables(portwhy_environment()) == given)
  }

  @Test("has every variable but those for the Swift runtime")
  func runtime() {
    let given = variables(portwhy_environment())
    let here = Set(variables(environ))
    #expect(given.contains { $0.hasPrefix("PATH=") })
    for variable in given { #expect(here.contains(variable) != variable.hasPrefix("SWIFT_"), "\(variable)") }
  }
}
